// SPDX-License-Identifier: BSL-1.0

// The columns of the table of processes, from left to right.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace top {

struct column {
  std::string_view sort; // as the observer's `sort=` has it; empty: cannot be sorted by
  std::string_view title;
  char key;          // that sorts by it
  bool descending;   // the order to begin with
  bool flexible;     // takes what room is left
  bool right;        // aligned to the right
  std::size_t width; // at least; the title with the mark of the order fits
  int rank;          // narrow screens show those with the lowest
};

inline constexpr std::array table_columns{
    column{"id", "ID", 'I', false, false, true, 7, 3},
    column{"name", "NAME", 'N', false, true, false, 14, 0},
    column{"type", "TYPE", 'T', false, true, false, 12, 5},
    column{"queue", "QUEUE", 'Q', true, false, true, 7, 0},
    column{"longest", "LONGEST", 'L', true, false, true, 9, 8},
    column{"rate", "MSG/S", 'M', true, false, true, 8, 2},
    column{"busy", "BUSY", 'B', true, false, true, 6, 3},
    column{"", "HANDLING", '\0', false, true, false, 14, 1},
    column{"handling_for", "FOR", 'F', true, false, true, 7, 1},
    column{"", "WAITS FOR", '\0', false, false, false, 9, 4},
    column{"messages", "MESSAGES", 'G', true, false, true, 10, 9},
    column{"age", "AGE", 'A', true, false, true, 7, 6},
    column{"restarts", "RESTARTS", 'R', true, false, true, 10, 7},
    column{"parent", "PARENT", 'P', false, false, true, 8, 10},
    column{"context", "CONTEXT", 'C', false, false, true, 9, 11},
};

inline constexpr std::size_t no_column = table_columns.size();

// The column to sort by that has this name, or this key.
constexpr std::size_t find_column(std::string_view sort) {
  for (std::size_t i = 0; i < table_columns.size(); ++i) {
    if (!sort.empty() && table_columns[i].sort == sort) {
      return i;
    }
  }
  return no_column;
}

constexpr std::size_t find_column(char key) {
  for (std::size_t i = 0; i < table_columns.size(); ++i) {
    if (key != '\0' && table_columns[i].key == key) {
      return i;
    }
  }
  return no_column;
}

// The digits 1 to 9 and 0 stand for the first ten that can be sorted by.
constexpr std::size_t column_of_digit(char digit) {
  int left = digit == '0' ? 9 : digit - '1';
  for (std::size_t i = 0; i < table_columns.size(); ++i) {
    if (!table_columns[i].sort.empty() && left-- == 0) {
      return i;
    }
  }
  return no_column;
}

// The column to sort by after this one, or before it; the last and the first follow each other.
constexpr std::size_t next_column(std::size_t now) {
  do {
    now = (now + 1) % table_columns.size();
  } while (table_columns[now].sort.empty());
  return now;
}

constexpr std::size_t previous_column(std::size_t now) {
  do {
    now = (now + table_columns.size() - 1) % table_columns.size();
  } while (table_columns[now].sort.empty());
  return now;
}

} // namespace top
