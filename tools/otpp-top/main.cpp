// SPDX-License-Identifier: BSL-1.0

// otpp-top: what runs in a program that uses otpp, on a terminal.
//
//   otpp-top [http://127.0.0.1:4040] [--token t] [--interval 1] [--sort queue] [--search words] [-n rows] [--once]
//
// It reads the JSON of otpp's observer (otpp::observe() of <otpp/observer.hpp>) over HTTP and changes nothing in
// the program. The program sorts, searches and cuts out a page; 10^5 processes are no more to read than twenty.
//
// Environment: OTPP_TOKEN, the token of an observer that wants one; NO_COLOR; TERM and the locale, for ncurses;
// COLUMNS, how wide --once prints where it does not print to a terminal.
//
//   options, url    the command line
//   requests        what is asked of the observer, and what its answers mean
//   http_get        one GET
//   model           what is in the answers
//   view, columns   the lines that are shown; text has what makes them fit, and harmless
//   screen          ncurses
//   app             keys, time and answers, all on one thread

#include "app.hpp"
#include "options.hpp"
#include "requests.hpp"
#include "text.hpp"

#include <asio/io_context.hpp>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <sys/ioctl.h>
#include <unistd.h>

namespace {

constexpr std::size_t rows_of_once = 50;

int complain(const std::string& sentence, int status) {
  std::cerr << "otpp-top: " << sentence << '\n';
  return status;
}

std::size_t width_of_output() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  const char* columns = std::getenv("COLUMNS"); // NOLINT(concurrency-mt-unsafe)
  long width = columns == nullptr ? 0 : std::strtol(columns, nullptr, 10);
  return width >= 20 && width <= 10000 ? static_cast<std::size_t>(width) : 120;
}

int print_once(const top::options& given) {
  asio::io_context io;
  top::state shown = top::first_state(given);
  std::string problem;
  auto ask = [&](const std::string& target, auto take) {
    return top::http_get::start(
        io, given.where, given.token, target, top::patience,
        [&given, &problem, take](const top::http_result& result) {
          std::string said = top::explain(result, given);
          if (said.empty() && !take(result.body)) {
            said = top::not_understood(given);
          }
          if (problem.empty()) {
            problem = said;
          }
        });
  };
  auto totals = ask(top::totals_target, [&](const std::string& body) {
    shown.now = top::read_totals(body);
    return shown.now.has_value();
  });
  auto processes =
      ask(top::target_of(shown, given.rows == 0 ? rows_of_once : given.rows),
          [&](const std::string& body) { return top::take_answer(shown, body); });
  io.run();
  if (!problem.empty()) {
    return complain(problem, 1);
  }
  for (const top::line& each : top::render_once(shown, width_of_output()).lines) {
    std::string_view text = each.text;
    std::cout << text.substr(0, text.find_last_not_of(' ') + 1) << '\n';
  }
  return std::cout.flush() ? 0 : complain("The output cannot be written.", 1);
}

} // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_ALL, ""); // NOLINT(concurrency-mt-unsafe): no other thread runs yet
  std::vector<std::string_view> arguments(argv + std::min(argc, 1), argv + argc);
  top::options_or_problem parsed =
      top::parse_options(arguments, std::getenv("OTPP_TOKEN")); // NOLINT(concurrency-mt-unsafe)
  if (!parsed.value) {
    return complain(parsed.problem, 2);
  }
  const top::options& given = *parsed.value;
  if (given.help) {
    std::cout << top::help_text();
    return 0;
  }
  if (given.version) {
    std::cout << "otpp-top " OTPP_TOP_VERSION "\n";
    return 0;
  }
  if (given.once) {
    return print_once(given);
  }
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) {
    return complain("The keys and the screen need a terminal; --once needs none.", 2);
  }
  try {
    asio::io_context io;
    {
      top::app app(io, given);
      app.run();
    }
    // A name that takes long to resolve would keep the destructor of the io_context waiting.
    std::_Exit(0);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
