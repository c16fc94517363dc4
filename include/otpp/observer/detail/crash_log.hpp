// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/crash_report.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A user's text, of which the observer keeps so much at most.
inline std::string shorten(std::string_view text, std::size_t most = 1000) {
  return text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "...";
}

// Crashes that are the same: of one type of server, with one reason, in one message, sent from one place.
struct folded_crash {
  std::string server; // the newest: `"counter"`, or `counter#7`
  std::string type;
  std::uint64_t id = 0; // of the newest
  std::string reason;
  std::string message;
  std::string where; // `main.cpp:42`; empty if it is not known
  std::string state; // empty without a format_status
  std::size_t dropped = 0;
  std::uint64_t count = 0;
  double first = 0; // Unix time
  double last = 0;
};

// The newest crashes, folded.
class crash_log {
 public:
  static constexpr std::size_t most = 100;

  // `reason` is the text of the report's.
  void add(const crash_report& report, std::string_view reason, double unix_time) {
    folded_crash made;
    made.type = shorten(report.callbacks);
    made.reason = shorten(reason);
    made.message = shorten(report.message);
    if (report.where.line() != 0) {
      std::string_view file = report.where.file_name();
      file.remove_prefix(file.find_last_of('/') + 1); // nothing if there is no slash
      made.where = std::string(file) + ':' + std::to_string(report.where.line());
    }
    auto found = std::find_if(crashes_.begin(), crashes_.end(), [&](const folded_crash& one) {
      return one.type == made.type && one.reason == made.reason && one.message == made.message &&
             one.where == made.where;
    });
    if (found == crashes_.end()) {
      if (crashes_.size() == most) {
        crashes_.pop_back();
      }
      made.first = unix_time;
      found = crashes_.insert(crashes_.end(), std::move(made));
    }
    found->server = report.name.empty() ? found->type + '#' + std::to_string(report.id)
                                        : '"' + shorten(report.name) + '"';
    found->id = report.id;
    found->state = shorten(report.state);
    found->dropped += report.dropped;
    found->count += 1;
    found->last = unix_time;
    std::rotate(crashes_.begin(), found, found + 1);
    total_ += 1;
  }

  // Newest first.
  const std::vector<folded_crash>& crashes() const noexcept { return crashes_; }

  // How many there were in all.
  std::uint64_t total() const noexcept { return total_; }

 private:
  std::vector<folded_crash> crashes_;
  std::uint64_t total_ = 0;
};

} // namespace otpp::detail

#pragma GCC visibility pop
