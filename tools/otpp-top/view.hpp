// SPDX-License-Identifier: BSL-1.0

// What is shown, as lines of text; screen.hpp puts them onto the terminal.

#pragma once

#include "columns.hpp"
#include "model.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace top {

// Colors and attributes; what they tell stands in the text, too.
enum class look { plain, title, head, lint, ended, selected, error, note };

struct line {
  std::string text;
  look how = look::plain;
};

struct frame {
  std::vector<line> lines;
  std::optional<std::size_t> cursor; // the column in the last line where one types
};

struct extent {
  std::size_t rows = 24;
  std::size_t columns = 80;
};

enum class page { processes, tree, crashes, process, crash, help };

// A page that is longer than the screen: the first line shown, and the selected one.
struct place {
  std::size_t first = 0;
  std::size_t selected = 0;
};

struct state {
  std::string address; // host:port
  bool unicode = true; // the terminal shows more than ASCII

  page shown = page::processes;
  page before = page::processes; // where Esc leads from process, crash and help

  // What is asked of /api/v1/processes.
  std::size_t sort = find_column("queue");
  bool descending = true;
  std::string search;
  std::size_t offset = 0;

  std::uint64_t process = 0; // whose detail is shown
  std::size_t crash = 0;     // whose detail is shown
  bool wants_status = false;

  std::optional<totals> now;
  std::optional<process_page> processes;
  std::optional<std::vector<tree_line>> tree;
  std::optional<crash_list> crashes;
  std::optional<process_detail> detail;
  std::optional<std::vector<std::string>> status;

  std::size_t row = 0; // selected of the processes shown
  place tree_at;
  place crashes_at;
  std::size_t detail_at = 0; // the first line shown of process, crash and help

  bool editing = false; // the search
  std::string problem;  // a sentence
  std::string waiting;  // another: that the program takes its time
};

// How many rows of the table, or lines of another page, there is room for.
std::size_t rows_for_page(const state& now, extent size);

// Moves what is selected and what is shown first to where there is something.
void keep_in_bounds(state& now, extent size);

// With the status line at the end, so many rows as the screen has.
frame render(const state& now, extent size);

// The totals, the lints and the table only, as --once prints them.
frame render_once(const state& now, std::size_t width);

} // namespace top
