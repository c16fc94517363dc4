// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/reply.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/timer.hpp>

#include <asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <vector>

#include "world.hpp"

namespace lifetimes {

// What a handler is to do. Few messages with a choice each, because every message costs time to compile.
enum class deed : std::uint32_t {
  wait,  // on a timer
  leave, // home: a helper computes on a pool
  block, // its thread, on pools
  ask,   // another server
  start, // another server, somewhere
  hold,  // handles of others, and let go of those that it has
  stop,
  crash,
  size
};

struct worker {
  // calls
  struct quick {
    using reply_type = int;
    explicit quick(int number) : n(number) {}
    int n;
    counted_message tally;
  };
  struct keep { // answered later, by another thread, or by nobody
    using reply_type = int;
    explicit keep(std::uint32_t roll) : luck(roll) {}
    std::uint32_t luck;
    counted_message tally;
  };
  struct job {
    using reply_type = int;
    job(deed which, std::uint32_t roll) : what(which), luck(roll) {}
    deed what;
    std::uint32_t luck;
    counted_message tally;
  };

  // casts
  struct order {
    order(deed which, std::uint32_t roll) : what(which), luck(roll) {}
    deed what;
    std::uint32_t luck;
    counted_message tally;
  };
  struct relate { // monitors, links, signals, groups
    explicit relate(std::uint32_t roll) : luck(roll) {}
    std::uint32_t luck;
    counted_message tally;
  };

  // infos
  struct tick {
    explicit tick(int number) : n(number) {}
    int n;
    counted_message tally;
  };

  using messages = otpp::message_list<quick, order>;

  struct state {
    state(world& w, bool blocks, std::uint32_t luck) : all(&w), may_block(blocks), random(luck) {}
    world* all;
    bool may_block;
    dice random;
    std::vector<worker_ref> held;
    std::vector<otpp::caller<int>> kept;
    std::vector<otpp::monitor_ref> monitors;
    std::vector<otpp::timer_ref> timers;
    counted_state tally;
  };
  using state_type = std::unique_ptr<state>;

  asio::awaitable<state_type> init(world* all, bool may_block, std::uint32_t luck);
  void terminate(const otpp::exit_reason& why, state_type& s);

  int handle_call(quick m, state_type& s);
  void handle_call(keep m, otpp::caller<int> from, state_type& s);
  asio::awaitable<otpp::outcome<int>> handle_call(job m, state_type& s);
  asio::awaitable<otpp::outcome<>> handle_cast(order m, state_type& s);
  void handle_cast(relate m, state_type& s);
  void handle_info(tick m, state_type& s);
  void handle_info(otpp::down m, state_type& s);
  void handle_info(otpp::exit_signal m, state_type& s);
};

// Starts one somewhere and makes it known; what goes wrong is counted.
asio::awaitable<void> start_worker(world* all, std::uint32_t luck);

// Starts one there; what goes wrong is thrown.
asio::awaitable<worker_ref> start_at(world* all, home where, std::uint32_t luck);

} // namespace lifetimes
