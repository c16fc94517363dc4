// SPDX-License-Identifier: BSL-1.0

// A main loop that is no coroutine, as that of a game or of a window: it asks servers, which run on other
// threads, and gets their answers between two frames. And how a program ends in order, when it wants to and
// when it is told to.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>

using namespace std::chrono_literals;

struct physics {
  struct step { int by; using reply_type = int; };

  int init() { return 0; }
  int handle_call(step m, int& position) { return position += m.by; }
  void terminate(const otpp::exit_reason& reason, int& position) {
    std::cout << "saves position " << position << " (" << reason << ")\n";
  }
};

// [loop]
void main_loop() {
  asio::thread_pool workers(2);
  asio::io_context frame; // the answers wait here for the next frame
  auto server = otpp::start<physics>(otpp::options().on(workers.get_executor()), asio::use_future).get();

  int position = 0;
  bool is_asked = false;
  while (position < 3) {
    if (!is_asked) {
      is_asked = true;
      auto answered = [&](std::exception_ptr error, int value) {
        is_asked = false;
        position = error ? position : value;
      };
      otpp::call<physics::step>(server, 1, asio::bind_executor(frame, answered));
    }
    frame.restart();
    frame.run_for(1ms); // calls back, on this thread, for what has been answered; the frame's pause, too
  }
  otpp::stop_all(workers, 5s, asio::use_future).get(); // each server runs its terminate
}
// [loop]

// [shutdown]
asio::awaitable<void> serve() {
  auto server = co_await otpp::start<physics>();
  co_await otpp::call<physics::step>(server, 7);
  std::raise(SIGTERM);      // as an operator or the system would send it
  co_await server.join();   // cancelled; then otpp::run stops what lives, newest first
}

int main() {
  main_loop();
  int status = otpp::run(serve);
  std::cout << (status == 0 ? "in order\n" : "interrupted, in order\n");
}
// [shutdown]

// Output:
// saves position 3 (shutdown)
// saves position 7 (shutdown)
// in order
