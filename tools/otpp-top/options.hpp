// SPDX-License-Identifier: BSL-1.0

// The command line.

#pragma once

#include "columns.hpp"
#include "url.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace top {

struct options {
  url where{.host = "127.0.0.1", .port = "4040", .token = {}};
  std::string token; // of --token, the URL or OTPP_TOKEN
  std::chrono::milliseconds interval{1000};
  std::size_t sort = find_column("queue");
  std::string search;
  std::size_t rows = 0; // 0: as many as fit
  bool once = false;
  bool help = false;
  bool version = false;
};

struct options_or_problem {
  std::optional<options> value;
  std::string problem; // a sentence, where there is no value
};

// The arguments after the program's name; token_of_environment is null where there is none.
options_or_problem parse_options(
    const std::vector<std::string_view>& arguments, const char* token_of_environment);

std::string help_text();

} // namespace top
