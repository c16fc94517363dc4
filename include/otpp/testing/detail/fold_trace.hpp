// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::testing::detail {

// Makes a text of a trace that somebody will read: what repeats is said once, and of what is left only the beginning
// and the end.
class folded_trace {
 public:
  explicit folded_trace(const std::vector<std::string>& trace) {
    for (const std::string& line : trace) {
      contents_.push_back(content_of(line));
    }
    std::size_t at = 0;
    while (at != trace.size()) {
      std::size_t length = 1;
      std::size_t repeats = 0;
      for (std::size_t tried = 1; tried <= longest_period && repeats == 0; ++tried) {
        repeats = repeats_of(at, tried);
        length = repeats ? tried : 1;
      }
      lines_.insert(lines_.end(), trace.data() + at, trace.data() + at + length);
      at += length * (repeats + 1);
      if (repeats != 0) {
        std::string_view last = trace[at - 1];
        lines_.push_back(
            "  the same " + (length == 1 ? "line " : std::to_string(length) + " lines ") +
            std::to_string(repeats) + " times more, until" + std::string(last.substr(1, last.find(':') - 1)));
      }
    }
  }

  std::string text() const {
    std::string result;
    for (std::size_t i = 0; i != lines_.size(); ++i) {
      if (i == shown && lines_.size() > 2 * shown) {
        std::size_t left_out = lines_.size() - (2 * shown);
        result += "  " + std::to_string(left_out) + " lines are left out here\n";
        i += left_out;
      }
      result += lines_[i] + '\n';
    }
    return result;
  }

 private:
  static constexpr std::size_t shown = 40; // of the beginning, and of the end
  static constexpr std::size_t longest_period = 8;
  static constexpr std::size_t fewest_repeats = 2;

  // The line without its step, and the same for each point in time.
  static std::string_view content_of(std::string_view line) noexcept {
    line.remove_prefix((std::min)(line.find(": "), line.size()));
    return line.starts_with(": it is ") ? line.substr(0, 8) : line;
  }

  // How often the lines from `at` on come again at once; zero if that is too seldom to be worth a line.
  std::size_t repeats_of(std::size_t at, std::size_t length) const noexcept {
    std::size_t same = 0;
    while (at + length + same < contents_.size() && contents_[at + same] == contents_[at + length + same]) {
      ++same;
    }
    return same / length < fewest_repeats ? 0 : same / length;
  }

  std::vector<std::string_view> contents_; // views into the trace
  std::vector<std::string> lines_;
};

} // namespace otpp::testing::detail

#pragma GCC visibility pop
