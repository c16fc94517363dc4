// SPDX-License-Identifier: BSL-1.0

// The program while it runs on a terminal: keys, the clock and answers all come through one io_context, so that
// nothing waits for anything else.

#pragma once

#include "http_get.hpp"
#include "options.hpp"
#include "screen.hpp"
#include "view.hpp"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace top {

// What the options ask to begin with.
state first_state(const options& given);

class app {
 public:
  app(asio::io_context& io, options given);

  // Until `q`, a signal, or the end of the terminal.
  void run();

 private:
  using clock = std::chrono::steady_clock;

  void wait_for_keys();
  void wait_for_signals();
  void wait_for_time();

  void press(const key_press& pressed);
  void press_in_search(const key_press& pressed);
  void press_character(char32_t character);
  void move(const key_press& pressed);
  void move_in_table(const key_press& pressed);
  void enter();
  void leave();
  void show(page which);
  void sort_by(std::size_t column);
  void search_for(std::string words);

  void refresh();
  void ask_totals();
  void ask_page();
  void ask_page_anew();
  void ask_status();
  void take_page(const http_result& result);
  void draw();

  std::size_t rows() const;

  asio::io_context& io_;
  options given_;
  screen screen_;
  state state_;
  asio::posix::stream_descriptor keys_;
  asio::signal_set signals_;
  asio::steady_timer timer_;

  std::shared_ptr<http_get> totals_request_; // null where there is none
  std::shared_ptr<http_get> page_request_;
  std::shared_ptr<http_get> status_request_;
  clock::time_point asked_; // when totals_request_ began
  bool page_again_ = false; // what is asked for has changed since page_request_ began

  std::string connection_problem_;
  std::string page_problem_;
  std::string search_before_; // what Esc goes back to
};

} // namespace top
