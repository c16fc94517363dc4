// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/ascii.hpp>
#include <otpp/observer/detail/http_request.hpp>
#include <otpp/observer/detail/process_row.hpp>
#include <otpp/observer/detail/sampler.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What is wrong with a request, as a sentence for whoever typed it.
struct bad_query : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Returns a number that a request has; otherwise what is usual.
inline std::uint64_t number_in(
    const http_request& request, std::string_view name, std::uint64_t usual, std::uint64_t least,
    std::uint64_t most) {
  const std::string* text = request.find(name);
  if (!text) {
    return usual;
  }
  std::uint64_t number = 0;
  const char* end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, number);
  if (text->empty() || read.ec != std::errc() || read.ptr != end || number < least || number > most) {
    throw bad_query(
        std::string(name) + " is a whole number from " + std::to_string(least) + " to " +
        std::to_string(most));
  }
  return number;
}

enum class process_column : std::uint8_t {
  id,
  name,
  type,
  queue,
  longest,
  rate,
  busy,
  handling_for,
  messages,
  age,
  restarts,
  parent,
  context,
};

inline constexpr std::string_view process_columns[] = {
    "id",           "name",     "type", "queue",    "longest", "rate",   "busy",
    "handling_for", "messages", "age",  "restarts", "parent",  "context"};

// Which processes a request wants, in which order.
struct process_query {
  process_column by = process_column::id;
  bool descending = false;
  std::size_t number = 50;
  std::size_t offset = 0;
  std::vector<std::string> words; // in lower case

  // Throws bad_query.
  static process_query read(const http_request& request, std::size_t usual_number = 50) {
    process_query result;
    if (const std::string* sort = request.find("sort"); sort && !sort->empty()) {
      const auto* found = std::find(std::begin(process_columns), std::end(process_columns), *sort);
      if (found == std::end(process_columns)) {
        throw bad_query(
            "sort is one of id, name, type, queue, longest, rate, busy, handling_for, messages, age, "
            "restarts, "
            "parent and context");
      }
      result.by = static_cast<process_column>(found - std::begin(process_columns));
    }
    result.descending = is_measure(result.by);
    if (const std::string* order = request.find("order"); order && !order->empty()) {
      if (*order != "asc" && *order != "desc") {
        throw bad_query("order is asc or desc");
      }
      result.descending = *order == "desc";
    }
    result.number = static_cast<std::size_t>(number_in(request, "n", usual_number, 1, 1000));
    result.offset = static_cast<std::size_t>(number_in(request, "offset", 0, 0, 1'000'000'000));
    if (const std::string* q = request.find("q")) {
      result.words = words_of(*q);
    }
    return result;
  }

  bool matches(const process_row& one) const {
    return std::all_of(
        words.begin(), words.end(), [&](const std::string& word) { return matches_word(one, word); });
  }

 private:
  // Of these the largest are of interest.
  static bool is_measure(process_column by) noexcept {
    return by != process_column::id && by != process_column::name && by != process_column::type &&
           by != process_column::parent && by != process_column::context;
  }

  static std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> result;
    bool is_inside = false;
    for (char c : text) {
      if (c == ' ') {
        is_inside = false;
        continue;
      }
      if (!std::exchange(is_inside, true)) {
        if (result.size() == 16) {
          throw bad_query("q has at most 16 words");
        }
        result.emplace_back();
      }
      result.back() += lower_ascii(c);
    }
    return result;
  }

  static bool contains(std::string_view text, std::string_view word) noexcept {
    return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
             return lower_ascii(a) == b;
           }) != text.end();
  }

  static bool matches_word(const process_row& one, std::string_view word) {
    if (word == "is:stuck") {
      return one.lints.has(lint::stuck);
    }
    if (word == "is:dead") {
      return one.ended != nullptr;
    }
    if (word == "is:supervisor") {
      return one.is_supervisor;
    }
    if (word == "is:lint") {
      return !one.lints.empty();
    }
    return contains(one.name, word) || contains(one.type, word) ||
           (one.is_in_handler() && contains(one.now.handling, word)) ||
           contains(std::to_string(one.id), word);
  }
};

struct selected_processes {
  std::size_t matched = 0;
  std::vector<const process_row*> rows;
};

// Returns those that a query wants. Of all that match, only those are sorted that are returned, and those before them.
class process_order {
 public:
  using row = const process_row*;

  static selected_processes select(const sampler& from, const process_query& query) {
    std::vector<row> all;
    for (const std::vector<process_row>* list : {&from.rows(), &from.dead()}) {
      for (const process_row& one : *list) {
        if (query.matches(one)) {
          all.push_back(&one);
        }
      }
    }
    const std::size_t matched = all.size();
    const std::size_t begin = (std::min)(query.offset, matched);
    const std::size_t end = begin + (std::min)(query.number, matched - begin);
    sort(all, end, query, from.now().steady);
    return {
        matched,
        {all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end)}};
  }

 private:
  static void sort(
      std::vector<row>& all, std::size_t end, const process_query& query,
      std::chrono::steady_clock::time_point now) {
    auto by = [&](auto key) {
      std::partial_sort(
          all.begin(), all.begin() + static_cast<std::ptrdiff_t>(end), all.end(), [&](row a, row b) {
            decltype(auto) left = key(*a);
            decltype(auto) right = key(*b);
            return left == right ? a->id < b->id : query.descending ? right < left : left < right;
          });
    };
    using one = const process_row&;
    switch (query.by) {
      case process_column::id: return by([](one r) { return r.id; });
      case process_column::name: return by([](one r) -> const std::string& { return r.name; });
      case process_column::type: return by([](one r) { return r.type; });
      case process_column::queue: return by([](one r) { return r.now.queue; });
      case process_column::longest: return by([](one r) { return r.now.longest; });
      case process_column::rate: return by([](one r) { return r.rate; });
      case process_column::busy: return by([](one r) { return r.busy; });
      case process_column::handling_for: return by([&](one r) { return r.handling_for(now); });
      case process_column::messages: return by([](one r) { return r.now.messages; });
      case process_column::age: return by([&](one r) { return now - r.started; });
      case process_column::restarts: return by([](one r) { return r.restarts; });
      case process_column::parent: return by([](one r) { return r.parent; });
      case process_column::context: return by([](one r) { return r.context; });
    }
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
