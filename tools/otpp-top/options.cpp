// SPDX-License-Identifier: BSL-1.0

#include "options.hpp"

#include "text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>

namespace top {

namespace {

options_or_problem refuse(std::string problem) { return {{}, std::move(problem)}; }

std::string sort_names() {
  std::string names;
  for (const column& each : table_columns) {
    if (!each.sort.empty()) {
      names += (names.empty() ? "" : ", ") + std::string(each.sort);
    }
  }
  return names;
}

// As the help text has what an option takes.
std::string indented(const std::string& text) {
  std::string result;
  for (const std::string& line : wrap(text, 80)) {
    result += (result.empty() ? "" : "\n                     ") + line;
  }
  return result;
}

// Seconds, perhaps with a point; nothing where it is no number.
std::optional<double> seconds_of(const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  return text.empty() || *end != '\0' ? std::nullopt : std::optional(value);
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
}

} // namespace

options_or_problem parse_options(
    const std::vector<std::string_view>& arguments, const char* token_of_environment) {
  options result;
  std::string token;
  bool has_url = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (argument == "-h" || argument == "--help") {
      result.help = true;
      continue;
    }
    if (argument == "--version") {
      result.version = true;
      continue;
    }
    if (argument == "--once") {
      result.once = true;
      continue;
    }
    if (!argument.starts_with('-')) {
      if (has_url) {
        return refuse("One URL is enough: \"" + clean(argument) + "\" is the second.");
      }
      url_or_problem parsed = parse_url(argument);
      if (!parsed.value) {
        return refuse(parsed.problem);
      }
      result.where = *parsed.value;
      has_url = true;
      continue;
    }

    std::string_view name = argument;
    std::string value;
    if (std::size_t equals = argument.find('=');
        argument.starts_with("--") && equals != std::string_view::npos) {
      name = argument.substr(0, equals);
      value = argument.substr(equals + 1);
    } else if (
        name == "--token" || name == "--interval" || name == "--sort" || name == "--search" || name == "-n") {
      if (i + 1 == arguments.size()) {
        return refuse(std::string(name) + " needs a value after it.");
      }
      value = arguments[++i];
    }
    if (name == "--token") {
      token = value;
    } else if (name == "--interval") {
      std::optional<double> seconds = seconds_of(value);
      if (!seconds || !(*seconds >= 0.1) || !(*seconds <= 3600)) {
        return refuse("--interval takes seconds, from 0.1 to 3600.");
      }
      result.interval = std::chrono::milliseconds(static_cast<int>(*seconds * 1000));
    } else if (name == "--sort") {
      result.sort = find_column(std::string_view(value));
      if (result.sort == no_column) {
        return refuse("--sort takes one of " + sort_names() + ".");
      }
    } else if (name == "--search") {
      result.search = value;
    } else if (name == "-n") {
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result.rows);
      if (error != std::errc() || end != value.data() + value.size() || result.rows < 1 ||
          result.rows > 1000) {
        return refuse("-n takes a number of rows, from 1 to 1000.");
      }
    } else {
      return refuse("There is no option " + clean(name) + "; otpp-top --help lists them.");
    }
  }

  if (!token.empty()) {
    result.token = token;
  } else if (!result.where.token.empty()) {
    result.token = result.where.token;
  } else if (token_of_environment != nullptr) {
    result.token = token_of_environment;
  }
  if (has_control_character(result.token)) {
    return refuse("The token has a control character in it; was a line end copied with it?");
  }
  return {std::move(result), {}};
}

std::string help_text() {
  return "usage: otpp-top [<url>] [options]\n"
         "\n"
         "Shows what runs in a program that uses otpp, as top does for a machine: its servers, sorted by "
         "the\n"
         "length of their queues or by any other column, its supervision tree and its crashes. The program "
         "must\n"
         "observe itself (otpp::observe() of <otpp/observer.hpp>); nothing in it is changed.\n"
         "\n"
         "  <url>              what the program prints; http://127.0.0.1:4040 if none is given. A host, a "
         "port\n"
         "                     or host:port is enough\n"
         "  --token <token>    for an observer that wants one. Others on this machine can read the arguments "
         "of\n"
         "                     a program, but not the environment variable OTPP_TOKEN, which does the same\n"
         "  --interval <s>     seconds between two looks; 1 if none is given\n"
         "  --sort <column>    " +
         indented(sort_names()) +
         "\n"
         "  --search <words>   only what has all of these words in its name, type, id or message; is:stuck,\n"
         "                     is:dead, is:supervisor and is:lint are words, too\n"
         "  -n <rows>          at most so many rows of the table\n"
         "  --once             print the first screen as plain text and end; for pipes\n"
         "  --version, --help\n"
         "\n"
         "Keys:\n"
         "  arrows, PgUp PgDn, Home End   move            p  processes    t  tree    c  crashes\n"
         "  Enter  details of the row                     i  in the details: ask the server for its status\n"
         "  /      search; Enter keeps it, Esc leaves     Esc  back, or end the search\n"
         "  s S    sort by the next, the last column      r  reverse the order\n"
         "  1 to 9, 0, or a column's capital letter (see h): sort by it\n"
         "  h ?    help                                   q  quit\n"
         "\n"
         "A row begins with > if it is selected, ! if something is wrong with it, and x if it has ended.\n"
         "Colors only repeat that; NO_COLOR turns them off.\n"
         "\n"
         "Ends with 0, with 1 where --once got no answer, and with 2 for wrong arguments.\n";
}

} // namespace top
