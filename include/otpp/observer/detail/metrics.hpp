// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/observer/detail/handler_times.hpp>
#include <otpp/observer/detail/json.hpp>
#include <otpp/observer/detail/process_row.hpp>
#include <otpp/observer/detail/reports.hpp>
#include <otpp/observer/detail/restarts.hpp>
#include <otpp/observer/detail/sampler.hpp>
#include <otpp/observer/detail/usage.hpp>
#include <otpp/version.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Writes Prometheus's text format 0.0.4. Any bytes may be in a label.
class metrics_writer {
 public:
  struct label {
    std::string_view name;
    std::string_view value;
  };

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    out_.append("# HELP ").append(name).append(" ").append(help);
    out_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
  }

  // Without labels that are empty, which is how Prometheus takes them.
  void sample(std::initializer_list<label> labels, double value, std::string_view suffix = {}) {
    out_.append(name_).append(suffix);
    char before = '{';
    for (const label& one : labels) {
      if (!one.value.empty()) {
        out_ += std::exchange(before, ',');
        out_.append(one.name).append("=\"");
        put(one.value);
        out_ += '"';
      }
    }
    out_ += before == ',' ? "} " : " ";
    char text[32];
    const std::to_chars_result end = std::to_chars(text, text + sizeof text, value);
    out_.append(text, end.ptr).append("\n");
  }
  void sample(std::initializer_list<label> labels, std::uint64_t value, std::string_view suffix = {}) {
    sample(labels, static_cast<double>(value), suffix);
  }

  // Of a family whose type is `histogram`. Each bucket has what is in those below it, too.
  void histogram(const label& whose, const duration_histogram& times) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i != times.counts.size(); ++i) {
      number += times.counts[i];
      const bool is_last = i == times.labels.size();
      sample({whose, {"le", is_last ? "+Inf" : times.labels[i]}}, number, "_bucket");
    }
    sample({whose}, times.sum, "_sum");
    sample({whose}, number, "_count");
  }

  std::string take() noexcept { return std::move(out_); }

 private:
  void put(std::string_view text) {
    split_utf8(
        text,
        [&](std::string_view one) {
          if (one == "\n") {
            out_ += "\\n";
            return;
          }
          out_ += one == "\"" || one == "\\" ? "\\" : "";
          out_ += one;
        },
        [&] { out_ += replacement_character; });
  }

  std::string out_;
  std::string_view name_;
};

// What is in the metrics, beside what is counted for other purposes.
class observer_metrics {
 public:
  // To be called after a sample. Not const, because a counter must not fall.
  //
  // @param times  Null if they are not measured.
  std::string write(const sampler& from, const observer_reports& reports, const handler_times* times) {
    std::map<std::string, std::uint64_t, std::less<>> alive;
    std::map<process_usage::labels, mailbox> mailboxes;
    for (const process_row& one : from.rows()) {
      if (from.told().has(one.id)) {
        continue;
      }
      reported::counted(alive, one.type) += 1;
      mailbox& its = process_usage::counted(mailboxes, one);
      its.messages += one.now.queue;
      its.most = (std::max)(its.most, one.now.longest);
    }
    metrics_writer out;
    write_processes(out, alive, from.told().by_type);
    write_usage(out, from.usage());
    write_mailboxes(out, mailboxes);
    write_reports(out, reports);
    write_restarts(out, from.restarts());
    if (times) {
      write_times(out, times->copy()); // written outside of the lock, which the end of every handler takes
    }
    out.family("otpp_build_info", "gauge", "What the program was built with.");
    out.sample(
        {{"version", version_text(OTPP_VERSION / 10000, OTPP_VERSION / 100 % 100, OTPP_VERSION % 100)},
         {"asio", version_text(ASIO_VERSION / 100000, ASIO_VERSION / 100 % 1000, ASIO_VERSION % 100)},
         {"compiler", __VERSION__}},
        std::uint64_t{1});
    return out.take();
  }

 private:
  struct mailbox {
    std::uint64_t messages = 0;
    std::uint64_t most = 0;
  };

  static std::string version_text(int major, int minor, int patch) {
    return std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(patch);
  }

  void write_processes(
      metrics_writer& out, const std::map<std::string, std::uint64_t, std::less<>>& alive,
      const std::map<std::string, reported::exits, std::less<>>& exits) {
    out.family("otpp_processes", "gauge", "Processes that live.");
    for (const auto& [type, number] : alive) {
      out.sample({{"type", type}}, number);
      reported::counted(starts_, type);
    }
    for (const auto& [type, by_class] : exits) {
      reported::counted(starts_, type);
    }
    out.family(
        "otpp_process_starts_total", "counter", "Processes that have started; at first those that lived.");
    for (auto& [type, number] : starts_) {
      auto its = alive.find(type);
      auto ended = exits.find(type);
      std::uint64_t now = its == alive.end() ? 0 : its->second;
      if (ended != exits.end()) {
        for (std::uint64_t one : ended->second) {
          now += one;
        }
      }
      number = (std::max)(number, now); // a process that was never told of may be gone
      out.sample({{"type", type}}, number);
    }
    out.family("otpp_process_exits_total", "counter", "Processes that have ended.");
    for (const auto& [type, by_class] : exits) {
      for (std::size_t i = 0; i != by_class.size(); ++i) {
        if (by_class[i] != 0) {
          out.sample({{"type", type}, {"reason", exit_classes[i]}}, by_class[i]);
        }
      }
    }
  }

  static void write_usage(metrics_writer& out, const process_usage& usage) {
    out.family("otpp_messages_handled_total", "counter", "Messages that were handled while somebody looked.");
    for (const auto& [whose, sum] : usage.sums()) {
      out.sample({{"type", whose.first}, {"server", whose.second}}, sum.messages);
    }
    out.family(
        "otpp_handler_seconds_total", "counter",
        "Time in handlers, with what coroutines wait in them, while somebody looked.");
    for (const auto& [whose, sum] : usage.sums()) {
      out.sample({{"type", whose.first}, {"server", whose.second}}, in_seconds(sum.in_handlers));
    }
  }

  static void write_mailboxes(
      metrics_writer& out, const std::map<process_usage::labels, mailbox>& mailboxes) {
    out.family("otpp_mailbox_messages", "gauge", "Messages that wait.");
    for (const auto& [whose, its] : mailboxes) {
      out.sample({{"type", whose.first}, {"server", whose.second}}, its.messages);
    }
    out.family(
        "otpp_mailbox_messages_max", "gauge",
        "The longest queue that one of them has had while somebody looked.");
    for (const auto& [whose, its] : mailboxes) {
      out.sample({{"type", whose.first}, {"server", whose.second}}, its.most);
    }
  }

  static void write_reports(metrics_writer& out, const observer_reports& reports) {
    reports.read([&](const reported& known) {
      out.family(
          "otpp_messages_dropped_total", "counter", "Casts and infos that a server has left when it ended.");
      for (const auto& [type, number] : known.dropped_by_type) {
        out.sample({{"type", type}}, number);
      }
      out.family(
          "otpp_call_failures_total", "counter",
          "Calls, and messages that were sent otherwise, that ended with an error of the library.");
      for (const auto& [type, by_code] : known.failures_by_type) {
        for (std::size_t i = 0; i != by_code.size(); ++i) {
          if (by_code[i] != 0) {
            out.sample({{"type", type}, {"code", failure_codes[i]}}, by_code[i]);
          }
        }
      }
      out.family(
          "otpp_supervisor_gave_up_total", "counter", "Supervisors that ended because of too many restarts.");
      for (const auto& [supervisor, number] : known.gave_up_by_supervisor) {
        out.sample({{"supervisor", supervisor}}, number);
      }
    });
  }

  static void write_times(metrics_writer& out, const handler_times::by_type& times) {
    out.family(
        "otpp_handler_duration_seconds", "histogram",
        "How long handlers have run, with what coroutines wait in them.");
    for (const auto& [type, its] : times) {
      out.histogram({"type", type}, its.ran);
    }
    out.family("otpp_mailbox_wait_seconds", "histogram", "How long messages have waited in a mailbox.");
    for (const auto& [type, its] : times) {
      out.histogram({"type", type}, its.waited);
    }
  }

  static void write_restarts(metrics_writer& out, const restart_log& restarts) {
    out.family("otpp_supervisor_restarts_total", "counter", "Children that were restarted.");
    for (const auto& [whose, number] : restarts.totals()) {
      out.sample({{"supervisor", whose.first}, {"child", whose.second}}, number);
    }
  }

  std::map<std::string, std::uint64_t, std::less<>> starts_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
