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
    sum& its = find({std::string(of.type), std::string(label_of(of))});
    its.messages += messages;
    its.in_handlers += in_handlers;
  }

  // Returns the label of a process that has a name; else nothing.
  static std::string_view label_of(const process_row& one) noexcept {
    return one.is_named ? std::string_view(one.name) : std::string_view();
  }

  const std::map<labels, sum>& sums() const noexcept { return sums_; }

 private:
  static constexpr std::size_t most_named = reported::most_labels * 3 / 4;

  sum& find(labels whose) {
    auto found = sums_.find(whose);
    if (found != sums_.end()) {
      return found->second;
    }
    if (!whose.second.empty() && sums_.size() >= most_named) {
      return find({std::move(whose.first), std::string()});
    }
    return sums_[sums_.size() < reported::most_labels - 1 ? std::move(whose) : labels("other", "")];
  }

  std::map<labels, sum> sums_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
