// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/handled_log.hpp>
#include <otpp/observer/detail/history.hpp>
#include <otpp/observer/detail/json.hpp>
#include <otpp/observer/detail/lints.hpp>
#include <otpp/observer/detail/moment.hpp>
#include <otpp/observer/detail/process_row.hpp>
#include <otpp/observer/detail/reports.hpp>
#include <otpp/observer/detail/sampler.hpp>
#include <otpp/sys/processes.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

using process_infos = std::unordered_map<std::uint64_t, process_info>;

// Copies all that is known of some processes, those which still live.
inline process_infos infos_of(std::vector<std::uint64_t> ids) {
  process_infos result;
  std::sort(ids.begin(), ids.end());
  if (!ids.empty()) {
    visit_processes([&](const process_view& one) {
      if (std::binary_search(ids.begin(), ids.end(), one.id())) {
        result.emplace(one.id(), one.info());
      }
    });
  }
  return result;
}

// "12.3 s"
inline std::string seconds_text(std::chrono::steady_clock::duration time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", in_seconds(time));
  return text;
}

// Returns what a lint means, as a sentence.
inline std::string sentence_of(lint what, const process_row& one, const sampler& from) {
  switch (what) {
    case lint::stuck: {
      const auto time = one.handling_for(from.now().steady).value_or(duration());
      return one.name + " has handled " + std::string(one.now.handling) + " for " +
             (one.now.handling_for ? "" : "at least ") + seconds_text(time);
    }
    case lint::queue_grows:
      return one.name + " is sent more than it handles: " + std::to_string(one.now.queue) +
             " messages wait, and there have been more and more for 30 s";
    case lint::mailbox_full:
      return one.name + " has a full mailbox: " + std::to_string(one.now.queue) + " of " +
             std::to_string(one.limit) + " messages, so that its senders wait";
    case lint::restart_loop: {
      const supervision* how = from.supervision_of(one.id);
      return one.name + " has restarted children " + std::to_string(from.recent_restarts_of(one.id)) +
             " times in " + seconds_text(how ? how->period : duration()) +
             ", and ends if there are more than " + std::to_string(how ? how->intensity : 0);
    }
    case lint::child_overdue: return one.name + " has killed a child that did not shut down in time";
    case lint::deadlock: {
      std::string text;
      const std::vector<std::uint64_t> cycle = from.cycle_of(one);
      for (std::size_t i = 0; i != (std::min)(cycle.size(), std::size_t{8}); ++i) {
        text += from.name_of(cycle[i]) + " waits for ";
      }
      return text + (cycle.size() > 8 ? "others, which wait for " : "") + one.name;
    }
  }
  return {};
}

inline void write_lints(json_writer& json, const process_row& one) {
  json.key("lints").array([&] { one.lints.visit([&](lint what) { json.value(name_of(what)); }); });
}

inline void write_ended(json_writer& json, const process_row& one, const observer_moment& now) {
  json.key("ended");
  if (!one.ended) {
    json.value(nullptr);
    return;
  }
  json.object([&] {
    json.member("reason", one.ended->reason);
    json.member("ago", (std::max)(in_seconds(now.steady - one.ended->at), 0.0));
  });
}

inline std::optional<std::string_view> handling_of(const process_row& one) noexcept {
  return one.is_in_handler() ? std::optional(one.now.handling) : std::nullopt;
}

inline std::optional<double> handling_seconds(const process_row& one, const observer_moment& now) noexcept {
  const std::optional<duration> time = one.handling_for(now.steady);
  return time ? std::optional(in_seconds(*time)) : std::nullopt;
}

template <class Ids>
void write_ids(json_writer& json, std::string_view key, const Ids& ids) {
  json.key(key).array([&] {
    for (std::uint64_t id : ids) {
      json.value(id);
    }
  });
}

// A line of the table. `info` is null for a process that has ended.
inline void write_row(
    json_writer& json, const process_row& one, const process_info* info, const sampler& from) {
  const observer_moment& now = from.now();
  json.object([&] {
    json.member("id", one.id).member("name", one.name);
    json.key("names").array([&] {
      if (info) {
        for (const std::string& name : info->names) {
          json.value(name);
        }
      } else if (one.is_named) {
        json.value(one.name);
      }
    });
    json.member("type", one.type).member("parent", one.parent);
    json.key("child");
    json.value(one.is_child ? std::optional<std::string_view>(one.child) : std::nullopt);
    json.member("supervisor", one.is_supervisor).member("context", one.context);
    const bool lives = !one.ended;
    json.member("queue", lives ? std::optional(one.now.queue) : std::nullopt);
    json.member("longest", one.now.longest);
    json.member("limit", one.limit != 0 ? std::optional(one.limit) : std::nullopt);
    json.member("messages", one.now.messages).member("rate", one.rate).member("busy", one.busy);
    json.member("handling", handling_of(one)).member("handling_for", handling_seconds(one, now));
    json.member("age", in_seconds((lives ? now.steady : one.ended->at) - one.started));
    json.member("restarts", one.restarts);
    write_ids(json, "waits_for", info ? info->waits_for : std::vector<std::uint64_t>());
    const std::vector<std::uint64_t> cycle = from.cycle_of(one);
    if (cycle.empty()) {
      json.member("cycle", nullptr);
    } else {
      write_ids(json, "cycle", cycle);
    }
    write_ended(json, one, now);
    write_lints(json, one);
  });
}

// A plot. `marks` is called to write the marks.
template <class WriteMarks>
void write_history(json_writer& json, const history& points, const observer_moment& now, WriteMarks marks) {
  auto column = [&](std::string_view name, float history_point::* which) {
    json.key(name).array([&] {
      points.points().visit([&](const history_point& one) { json.value(static_cast<double>(one.*which)); });
    });
  };
  json.object([&] {
    json.member("interval", 1.0)
        .member("end", points.points().empty() ? now.unix_time : now.unix_time_of(points.end()));
    column("messages", &history_point::messages);
    column("busy", &history_point::busy);
    column("queue", &history_point::queue);
    column("processes", &history_point::processes);
    json.key("marks").array([&] { marks(); });
  });
}

// The newest messages of a process, and how long its handlers ran.
inline void write_handled(
    json_writer& json, const handled_by& handled, std::chrono::steady_clock::time_point now) {
  json.key("recent").array([&] {
    handled.visit([&](const handled_message& one) {
      const std::string_view error = one.error.view();
      json.object([&] {
        json.member("message", one.type.view()).member("kind", one.kind());
        json.member("waited", one.waited ? std::optional(in_seconds(*one.waited)) : std::nullopt);
        json.member("ran", in_seconds(one.ran));
        json.member("ago", (std::max)(in_seconds(now - one.at), 0.0));
        json.member("error", error.empty() ? std::nullopt : std::optional(error));
      });
    });
  });
  json.key("ran").object([&] {
    json.member("for", (std::max)(in_seconds(now - handled.since), 0.0));
    json.key("up_to").array([&] {
      for (std::chrono::microseconds bound : handled_by::bounds) {
        json.value(in_seconds(bound));
      }
    });
    write_ids(json, "counts", handled.ran);
  });
}

// All marks of the last ten minutes, oldest first.
inline void write_marks(
    json_writer& json, const sampler& from, const observer_reports& reports,
    std::chrono::steady_clock::time_point now) {
  std::vector<observer_mark> all;
  auto keep = [&](const observer_mark& one) {
    if (now - one.at <= std::chrono::seconds(history::most)) {
      all.push_back(one);
    }
  };
  from.restarted().visit([&](const supervisor_event& one) {
    keep({one.at.steady, observer_mark::kind::restart, one.child + " of " + one.supervisor});
  });
  reports.read([&](const reported& known) { known.marks.visit(keep); });
  std::sort(
      all.begin(), all.end(), [](const observer_mark& a, const observer_mark& b) { return a.at < b.at; });
  for (const observer_mark& one : all) {
    json.object([&] {
      json.member("ago", (std::max)(in_seconds(now - one.at), 0.0));
      json.member("kind", one.name()).member("text", one.text);
    });
  }
}

// What has changed since the last second, in short.
inline void write_tick(json_writer& json, const sampler& from, const observer_reports& reports) {
  constexpr std::size_t most = 20;
  const observer_totals& all = from.totals();
  const std::uint64_t crashes = reports.read([](const reported& known) { return known.crashes.total(); });
  std::size_t number = 0;
  json.object([&] {
    json.member("time", from.now().unix_time)
        .member("processes", all.processes)
        .member("messages", all.messages);
    json.member("busy", all.busy).member("queue", all.queue).member("crashes", crashes);
    json.member("changes", all.changes);
    json.key("lints").array([&] {
      for (const process_row& one : from.rows()) {
        one.lints.visit([&](lint what) {
          if (number++ < most) {
            json.object([&] {
              json.member("id", one.id).member("name", one.name).member("kind", name_of(what));
              json.member("text", sentence_of(what, one, from));
            });
          }
        });
      }
    });
    json.member("lints_total", number);
  });
}

} // namespace otpp::detail

#pragma GCC visibility pop
