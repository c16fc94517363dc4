// SPDX-License-Identifier: BSL-1.0

#include "requests.hpp"

#include "text.hpp"

#include <utility>

namespace top {

std::string target_of(const state& now, std::size_t rows) {
  switch (now.shown) {
    case page::processes: {
      std::string target = "/api/v1/processes?sort=" + std::string(table_columns[now.sort].sort);
      target += now.descending ? "&order=desc" : "&order=asc";
      target += "&n=" + std::to_string(rows) + "&offset=" + std::to_string(now.offset);
      if (!now.search.empty()) {
        target += "&q=" + percent_encode(now.search);
      }
      return target;
    }
    case page::tree: return "/api/v1/tree";
    case page::crashes: return "/api/v1/crashes";
    case page::process: return "/api/v1/process?id=" + std::to_string(now.process);
    case page::crash:
    case page::help: break;
  }
  return {};
}

std::string status_target_of(const state& now) { return "/api/v1/status?id=" + std::to_string(now.process); }

std::string not_understood(const options& given) {
  return "What answers at " + given.where.authority() +
         " is no otpp observer, or a newer one than this otpp-top can read.";
}

std::string explain(const http_result& result, const options& given) {
  std::string where = given.where.authority();
  std::string why = result.error ? " (" + result.error.message() + ")" : "";
  switch (result.what) {
    case outcome::no_host:
      return "The host " + given.where.host + " is unknown" + why + ". Is the URL right?";
    case outcome::no_connection:
      return "Nothing accepts connections at " + where + why +
             ". Does the program run, and does it print this URL?";
    case outcome::no_answer:
      return "No answer from " + where + " within " + number(static_cast<double>(patience.count()) / 1000) +
             " s. Is the program stopped, in a debugger perhaps?";
    case outcome::cut_off:
      return "The connection to " + where + " ended within the answer" + why + ". Has the program ended?";
    case outcome::not_http: return "What answers at " + where + " does not speak HTTP. Is the port right?";
    case outcome::too_long:
      return "The answer of " + where + " is longer than 64 MiB, which is more than otpp-top reads.";
    case outcome::answered: break;
  }
  std::string said = read_error(result.body);
  if (!said.empty()) {
    said = " It says: " + said;
  }
  switch (result.status) {
    case 200: return {};
    case 401:
      return (given.token.empty()
                  ? "The observer wants a token: set OTPP_TOKEN to it, or use --token."
                  : "The observer refuses this token: use the one that the program was given.") +
             said;
    case 403:
      return "The observer refuses the host " + where + ": use the URL that the program prints." + said;
    case 404: return "The observer does not have this." + said;
    case 503: return "The observer has too many connections: close pages that show it." + said;
    default: return "The observer answers with the status " + std::to_string(result.status) + '.' + said;
  }
}

bool take_answer(state& now, const std::string& body) {
  auto take = [](auto& into, auto&& value) {
    bool understood = value.has_value();
    if (understood) {
      into = std::forward<decltype(value)>(value);
    }
    return understood;
  };
  switch (now.shown) {
    case page::processes: return take(now.processes, read_processes(body));
    case page::tree: return take(now.tree, read_tree(body));
    case page::crashes: return take(now.crashes, read_crashes(body));
    case page::process: return take(now.detail, read_process(body));
    case page::crash:
    case page::help: break;
  }
  return true;
}

} // namespace top
