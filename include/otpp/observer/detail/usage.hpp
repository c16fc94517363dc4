// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/process_row.hpp>
#include <otpp/observer/detail/reports.hpp>
#include <otpp/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What processes have done since somebody first looked, by their type and, where they have one, their name: never by their
// id, of which there is no end. The names that are too many are counted with those that have none.
class process_usage {
 public:
  using labels = std::pair<std::string, std::string>; // type, server

  struct sum {
    std::uint64_t messages = 0;
    duration in_handlers{};
  };

  void add(const process_row& of, std::uint64_t messages, duration in_handlers) {
    if (messages == 0 && in_handlers == duration()) {
      return;
    }
    sum& its = counted(sums_, of);
    its.messages += messages;
    its.in_handlers += in_handlers;
  }

  // Returns the label of a process that has a name; else nothing.
  static std::string_view label_of(const process_row& one) noexcept {
    return one.is_named ? std::string_view(one.name) : std::string_view();
  }

  // The number that belongs to a process: that of its name, or of its type, or once there are too many types of all others.
  template <class T>
  static T& counted(std::map<labels, T>& in, const process_row& of) {
    constexpr std::size_t most_named = reported::most_labels * 3 / 4;
    labels whose(of.type, label_of(of));
    if (in.size() >= most_named && !in.contains(whose)) {
      whose.second.clear();
    }
    if (in.size() >= reported::most_labels - 1 && !in.contains(whose)) {
      whose = labels("other", "");
    }
    return in[std::move(whose)];
  }

  const std::map<labels, sum>& sums() const noexcept { return sums_; }

 private:
  std::map<labels, sum> sums_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
