// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/one_line.hpp>
#include <otpp/observer/detail/json.hpp>
#include <otpp/observer/detail/lints.hpp>
#include <otpp/observer/detail/process_row.hpp>
#include <otpp/observer/detail/sampler.hpp>
#include <otpp/observer/detail/select.hpp>
#include <otpp/observer/detail/show.hpp>

#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A text as a column of at most so many bytes, cut between two characters; without control characters, which a terminal
// would obey.
inline std::string column_text(std::string_view text, std::size_t width) {
  std::string result;
  split_utf8(
      text,
      [&](std::string_view one) {
        const auto first = static_cast<unsigned char>(one.front());
        const bool is_control =
            first < 0x20 || first == 0x7F || (one.size() == 2 && first == 0xC2 && one[1] < '\xA0');
        if (result.size() + one.size() <= width) {
          result += is_control ? "?" : one;
        }
      },
      [&] { result += result.size() < width ? "?" : ""; });
  return result;
}

// The table as text, for a terminal.
inline std::string top_text(const sampler& from, const process_query& query) {
  std::string out;
  auto line = [&](const char* format, auto... values) {
    char text[400];
    std::snprintf(text, sizeof text, format, values...);
    out.append(text).append("\n");
  };
  const observer_totals& all = from.totals();
  const selected_processes found = process_order::select(from, query);
  line(
      "otpp: %zu processes, %.1f messages/s, %.2f busy, %zu queued", all.processes, all.messages, all.busy,
      all.queue);
  std::size_t lints = 0;
  for (const process_row& one : from.rows()) {
    one.lints.visit([&](lint what) {
      if (lints++ < 10) {
        const std::string text = column_text(sentence_of(what, one, from), 200);
        line("! %.*s: %s", static_cast<int>(name_of(what).size()), name_of(what).data(), text.c_str());
      }
    });
  }
  if (lints > 10) {
    line("! and %zu more", lints - 10);
  }
  const std::string_view by = process_columns[static_cast<std::size_t>(query.by)];
  line(
      "%zu of %zu match, by %.*s%s", found.rows.size(), found.matched, static_cast<int>(by.size()), by.data(),
      query.descending ? ", largest first" : "");
  out += "\n";
  line(
      "%8s %-24s %-24s %8s %8s %10s %6s %9s %9s  %s", "id", "name", "type", "queue", "longest", "messages/s",
      "busy", "restarts", "for", "handling");
  for (const process_row* one : found.rows) {
    const std::optional<duration> time = one->handling_for(from.now().steady);
    const std::string handling =
        one->ended ? "ended: " + one->ended->reason : std::string(handling_of(*one).value_or(""));
    line(
        "%8llu %-24s %-24s %8zu %8zu %10.1f %5.0f%% %9llu %9s  %s", static_cast<unsigned long long>(one->id),
        column_text(one->name, 24).c_str(), column_text(one->type, 24).c_str(), one->now.queue,
        one->now.longest, one->rate, one->busy * 100, static_cast<unsigned long long>(one->restarts),
        time ? seconds_text(*time).c_str() : "", column_text(handling, 100).c_str());
  }
  return out;
}

} // namespace otpp::detail

#pragma GCC visibility pop
