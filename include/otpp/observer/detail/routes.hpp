// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/access.hpp>
#include <otpp/error.hpp>
#include <otpp/observer/detail/history.hpp>
#include <otpp/observer/detail/http_request.hpp>
#include <otpp/observer/detail/http_response.hpp>
#include <otpp/observer/detail/json.hpp>
#include <otpp/observer/detail/model.hpp>
#include <otpp/observer/detail/page.hpp>
#include <otpp/observer/detail/select.hpp>
#include <otpp/observer/detail/show.hpp>
#include <otpp/observer/detail/top_text.hpp>
#include <otpp/observer/detail/tree.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/sys/status.hpp>

#include <asio/awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

inline constexpr std::string_view observer_api_text =
    "otpp's observer. All of it is read with GET; JSON unless said otherwise.\n"
    "\n"
    "/                      the page\n"
    "/top                   the table as text: sort, order, n, offset, q as below\n"
    "/metrics               Prometheus's text format\n"
    "/api/v1/processes      "
    "sort=id|name|type|queue|longest|rate|busy|handling_for|messages|age|restarts|parent|context\n"
    "                       order=asc|desc n=1..1000 offset= q=words (is:stuck is:dead is:supervisor "
    "is:lint)\n"
    "/api/v1/process?id=    one process, with its plots, and what it has handled since one looks\n"
    "/api/v1/status?id=     asks the process for its format_status\n"
    "/api/v1/tree           who supervises whom: depth=1..100 n=1..1000\n"
    "/api/v1/crashes        the newest crashes and supervisor reports\n"
    "/api/v1/history        the plots of all\n"
    "/api/v1/tick           totals, and what deserves a look\n"
    "/api/v1/events         the same as server-sent events, each second\n";

// What each path answers. For the observer's thread.
class observer_routes {
 public:
  explicit observer_routes(observer_model& model) noexcept : model_(&model) {}

  // To be called for each request, before its answer. Returns true if the model is to be ticked from now on.
  bool look(const http_request& request) {
    return model_->look(
        request.path == "/metrics" ? observer_model::scrape_attention : observer_model::attention);
  }

  // Answers a request by what is known already; nothing if a process has to be asked.
  std::optional<http_response> answer(const http_request& request) {
    try {
      if (request.path == "/api/v1/status") {
        return std::nullopt;
      }
      return find(request);
    } catch (const bad_query& what) {
      return http_error(400, what.what());
    }
  }

  // Asks a process for its status: the only message that the observer sends.
  static asio::awaitable<http_response> ask_status(http_request request) {
    std::optional<http_response> refused;
    const std::optional<process_info> whom = find_process(request, refused);
    if (refused) {
      co_return std::move(*refused);
    }
    http_response answered;
    try {
      server_status status = co_await get_status(whom->who, patience);
      json_writer json;
      json.object([&] { json.member("status", text_of(status)); });
      answered.body = json.take();
    } catch (const std::system_error& failure) {
      answered = status_error(failure, *whom);
    }
    co_return std::move(answered);
  }

 private:
  static constexpr std::chrono::seconds patience{1};

  http_response find(const http_request& request) {
    const std::string_view path = request.path;
    if (path == "/") {
      http_response page;
      page.type = "text/html; charset=utf-8";
      page.body = observer_page;
      page.policy = observer_page_policy;
      return page;
    }
    if (path == "/api" || path == "/api/") {
      return plain(std::string(observer_api_text));
    }
    if (path == "/top") {
      return plain(top_text(seen(), process_query::read(request, 40)));
    }
    if (path == "/metrics") {
      http_response response = plain(model_->metrics().write(seen(), model_->reports(), model_->times()));
      response.type = "text/plain; version=0.0.4; charset=utf-8";
      return response;
    }
    if (path == "/api/v1/processes") {
      return processes(process_query::read(request));
    }
    if (path == "/api/v1/process") {
      return process(id_in(request));
    }
    if (path == "/api/v1/tree") {
      return tree(request);
    }
    if (path == "/api/v1/crashes") {
      return crashes();
    }
    if (path == "/api/v1/history") {
      return json([&](json_writer& out) {
        write_history(
            out, seen().all(), seen().now(), [&] { write_marks(out, seen(), model_->reports(), now()); });
      });
    }
    if (path == "/api/v1/tick") {
      return json([&](json_writer& out) { write_tick(out, seen(), model_->reports()); });
    }
    return http_error(404, "there is nothing here; /api lists what there is");
  }

  http_response processes(const process_query& query) {
    const selected_processes found = process_order::select(seen(), query);
    std::vector<std::uint64_t> ids;
    for (const process_row* one : found.rows) {
      ids.push_back(one->id);
    }
    const process_infos infos = infos_of(std::move(ids));
    return json([&](json_writer& out) {
      out.object([&] {
        out.member("time", seen().now().unix_time).member("total", seen().rows().size());
        out.member("matched", found.matched).member("offset", query.offset);
        out.key("rows").array([&] {
          for (const process_row* one : found.rows) {
            auto info = infos.find(one->id);
            write_row(out, *one, info == infos.end() ? nullptr : &info->second, seen());
          }
        });
      });
    });
  }

  http_response process(std::uint64_t id) {
    const process_row* row = seen().find(id);
    if (!row) {
      return no_process(id);
    }
    // Its plot is kept for a while after somebody has looked at it.
    seen().histories().want(id, now() + std::chrono::minutes(1));
    const std::chrono::steady_clock::time_point at =
        model_->moment().steady; // messages are newer than the last sample
    const handled_by handled = model_->handled().look(id, at);
    const process_infos infos = infos_of({id});
    auto found = infos.find(id);
    const process_info* info = found == infos.end() ? nullptr : &found->second;
    return json([&](json_writer& out) {
      out.object([&] {
        out.member("time", seen().now().unix_time).key("row");
        write_row(out, *row, info, seen());
        using ids = std::vector<std::uint64_t>;
        write_names(out, "links", info ? info->links : ids());
        write_names(out, "monitors", info ? info->monitors : ids());
        write_names(out, "monitored_by", info ? info->monitored_by : ids());
        out.key("history");
        const history* kept = seen().histories().find(id);
        write_history(out, kept ? *kept : history(), seen().now(), [] {});
        write_handled(out, handled, at);
      });
    });
  }

  http_response tree(const http_request& request) {
    const auto depth = static_cast<std::size_t>(number_in(request, "depth", 100, 1, 100));
    const auto n = static_cast<std::size_t>(number_in(request, "n", 100, 1, 1000));
    return json([&](json_writer& out) { process_tree(seen(), depth, n).write(out); });
  }

  http_response crashes() {
    return json([&](json_writer& out) {
      model_->reports().read([&](const reported& known) {
        out.object([&] {
          out.member("time", seen().now().unix_time).key("crashes").array([&] {
            for (const folded_crash& one : known.crashes.crashes()) {
              write_crash(out, one);
            }
          });
          out.key("supervisors").array([&] { write_supervisors(out, known.supervisors); });
        });
      });
    });
  }

  // What supervisors have reported, and the restarts that were seen, newest first.
  void write_supervisors(json_writer& out, const ring<supervisor_event>& reports) const {
    constexpr std::size_t most = 100;
    std::vector<const supervisor_event*> all;
    for (const ring<supervisor_event>* list : {&reports, &model_->seen().restarted()}) {
      list->visit([&](const supervisor_event& one) { all.push_back(&one); });
    }
    std::sort(all.begin(), all.end(), [](const supervisor_event* a, const supervisor_event* b) {
      return a->at.steady > b->at.steady;
    });
    all.resize((std::min)(all.size(), most));
    for (const supervisor_event* one : all) {
      out.object([&] {
        out.member("time", one->at.unix_time)
            .member("supervisor", one->supervisor)
            .member("child", one->child);
        out.member("event", one->name()).member("reason", one->reason);
      });
    }
  }

  static void write_crash(json_writer& out, const folded_crash& one) {
    auto known = [](const std::string& text) {
      return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
    };
    out.object([&] {
      out.member("server", one.server)
          .member("type", one.type)
          .member("id", one.id)
          .member("reason", one.reason);
      out.member("message", known(one.message))
          .member("where", known(one.where))
          .member("dropped", one.dropped);
      out.member("state", known(one.state)).member("count", one.count);
      out.member("first", one.first).member("last", one.last);
    });
  }

  void write_names(json_writer& out, std::string_view key, const std::vector<std::uint64_t>& ids) const {
    constexpr std::size_t most = 1000;
    out.key(key).array([&] {
      for (std::size_t i = 0; i != (std::min)(ids.size(), most); ++i) {
        out.object([&] { out.member("id", ids[i]).member("name", model_->seen().name_of(ids[i])); });
      }
    });
  }

  static std::uint64_t id_in(const http_request& request) {
    const std::uint64_t id = number_in(request, "id", 0, 1, (std::numeric_limits<std::uint64_t>::max)());
    if (id == 0) {
      throw bad_query("id is wanted: that of a process");
    }
    return id;
  }

  static http_response no_process(std::uint64_t id) {
    return http_error(404, "there is no process " + std::to_string(id) + ", or it has ended");
  }

  static std::optional<process_info> find_process(
      const http_request& request, std::optional<http_response>& refused) {
    try {
      const std::uint64_t id = id_in(request);
      process_infos found = infos_of({id});
      if (!found.empty()) {
        return std::move(found.begin()->second);
      }
      refused = no_process(id);
    } catch (const bad_query& what) {
      refused = http_error(400, what.what());
    }
    return std::nullopt;
  }

  static std::string text_of(const server_status& status) {
    return std::string(status.is_suspended ? "suspended\n" : "") + status.state;
  }

  static http_response status_error(const std::system_error& failure, const process_info& whom) {
    const bool is_late = failure.code() == errc::timeout;
    std::string sentence = is_late ? "did not answer within 1 s" : failure.what();
    if (is_late && whom.handling_for) {
      sentence += ": its handler has run for " + seconds_text(*whom.handling_for + patience);
    } else if (is_late && !whom.current_message.empty()) {
      sentence += ": it handles " + std::string(whom.current_message);
    }
    json_writer json;
    json.object([&] { json.member("error", sentence); });
    http_response answered; // a success: the observer has done its part
    answered.body = json.take();
    return answered;
  }

  static http_response plain(std::string text) {
    http_response response;
    response.type = "text/plain; charset=utf-8";
    response.body = std::move(text);
    return response;
  }

  template <class Write>
  static http_response json(Write write) {
    json_writer out;
    write(out);
    http_response response;
    response.body = out.take();
    return response;
  }

  sampler& seen() noexcept { return model_->seen(); }
  std::chrono::steady_clock::time_point now() const noexcept { return model_->seen().now().steady; }

  observer_model* model_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
