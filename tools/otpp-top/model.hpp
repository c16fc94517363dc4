// SPDX-License-Identifier: BSL-1.0

// What the observer's endpoints say, read from JSON. All text in it is clean (see text.hpp). What is missing or
// of another type than it should be counts as unknown, so that a newer observer does no harm.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace top {

struct lint {
  std::string kind;
  std::string text;
};

// /api/v1/tick
struct totals {
  std::optional<double> processes;
  std::optional<double> messages; // per second
  std::optional<double> busy;
  std::optional<double> queue;
  std::optional<double> crashes;
  std::vector<lint> lints;
  std::size_t lints_total = 0;
};

struct process_row {
  std::uint64_t id = 0;
  std::string name;
  std::vector<std::string> names;
  std::string type;
  std::optional<std::uint64_t> parent;
  std::string child;
  bool supervisor = false;
  std::optional<double> context;
  std::optional<double> queue;
  std::optional<double> longest;
  std::optional<double> limit;
  std::optional<double> messages;
  std::optional<double> rate;
  std::optional<double> busy;
  std::string handling;
  std::optional<double> handling_for;
  std::optional<double> age;
  std::optional<double> restarts;
  std::vector<std::uint64_t> waits_for;
  std::vector<std::uint64_t> cycle;
  bool ended = false;
  std::string end_reason;
  std::optional<double> ended_ago;
  std::vector<std::string> lints;
};

// /api/v1/processes
struct process_page {
  std::size_t total = 0;
  std::size_t matched = 0;
  std::size_t offset = 0;
  std::vector<process_row> rows;
};

// /api/v1/tree, one line a node
struct tree_line {
  std::string indent;
  std::uint64_t id = 0; // 0: tells how many more there are
  std::string text;
  bool lint = false;
  bool ended = false;
};

struct crash {
  std::string server;
  std::string type;
  std::optional<std::uint64_t> id;
  std::string reason;
  std::string message;
  std::string where;
  std::optional<double> dropped;
  std::vector<std::string> state;
  std::optional<double> count;
  std::optional<double> first_ago;
  std::optional<double> last_ago;
};

struct supervisor_report {
  std::optional<double> ago;
  std::string supervisor;
  std::string child;
  std::string event;
  std::string reason;
};

// /api/v1/crashes
struct crash_list {
  std::vector<crash> crashes;
  std::vector<supervisor_report> supervisors;
};

struct handled {
  std::string message;
  std::string kind;
  std::optional<double> waited;
  std::optional<double> ran;
  std::optional<double> ago;
  std::string error;
};

// /api/v1/process
struct process_detail {
  process_row row;
  std::vector<std::string> links; // "main (3)"
  std::vector<std::string> monitors;
  std::vector<std::string> monitored_by;
  std::vector<double> messages; // per second, oldest first
  std::vector<double> busy;
  std::vector<double> queue;
  std::vector<handled> recent;
  std::vector<std::string> ran;  // how many handlers ran how long: "6 to 1.0ms"; only where there are some
  std::optional<double> ran_for; // the time in which these ended
};

// Nothing where the text is no such JSON.
std::optional<totals> read_totals(const std::string& json);
std::optional<process_page> read_processes(const std::string& json);
std::optional<std::vector<tree_line>> read_tree(const std::string& json);
std::optional<crash_list> read_crashes(const std::string& json);
std::optional<process_detail> read_process(const std::string& json);

// /api/v1/status: the lines of the status, or of the error.
std::optional<std::vector<std::string>> read_status(const std::string& json);

// The sentence of {"error": "sentence"}; else empty.
std::string read_error(const std::string& json);

} // namespace top
