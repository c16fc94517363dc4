// SPDX-License-Identifier: BSL-1.0

// counter.cpp, over TLS: counter@127.0.0.1 has its certificate, its key, and that of the authority in the folder in which it is
// started, as docs/between-machines.md makes them. Link otpp::dist_tls.

#include "counter.hpp"

#include <otpp/dist/tls.hpp>

#include <asio.hpp>
#include <iostream>

// [node]
asio::awaitable<void> serve() {
  otpp::dist::tls_options files;
  files.certificate_file("node.pem").key_file("node.key").ca_file("ca.pem");
  otpp::dist::node_options how("counter@127.0.0.1");
  how.cookie("secret").transport(otpp::dist::tls(files)); // which throws if a file is not what it should be
  auto node = co_await otpp::dist::open(how);
  // [node]
  auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);
  node.publish(otpp::server_name<counter>("counter"));
  std::cout << node.name() << " is open" << std::endl;

  otpp::exit_reason reason = co_await server.join();
  std::cout << "the counter was stopped: " << reason << std::endl;
}

int main() { return otpp::run(serve); }
