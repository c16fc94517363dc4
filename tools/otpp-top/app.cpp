// SPDX-License-Identifier: BSL-1.0

#include "app.hpp"

#include "requests.hpp"
#include "text.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace top {

namespace {

constexpr std::size_t longest_search = 200; // bytes; a head of HTTP has its limit, too

// The terminal once more: Asio makes what it waits for non-blocking, and ncurses writes to the one we have.
int open_terminal() {
  const char* name = ::ttyname(STDIN_FILENO); // NOLINT(concurrency-mt-unsafe): no other thread runs yet
  int terminal = name == nullptr ? -1 : ::open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC); // NOLINT(*-vararg)
  if (terminal < 0) {
    throw std::runtime_error("The terminal cannot be opened for reading; --once needs none.");
  }
  return terminal;
}

bool has_hung_up(int terminal) {
  pollfd asked{.fd = terminal, .events = POLLIN, .revents = 0};
  return ::poll(&asked, 1, 0) > 0 && (asked.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void append(std::string& text, char32_t c) {
  auto byte = [&](char32_t value) { text += static_cast<char>(static_cast<unsigned char>(value)); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xc0 | (c >> 6));
    byte(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    byte(0xe0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3f));
    byte(0x80 | (c & 0x3f));
  } else {
    byte(0xf0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3f));
    byte(0x80 | ((c >> 6) & 0x3f));
    byte(0x80 | (c & 0x3f));
  }
}

void remove_last_character(std::string& text) {
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0u) == 0x80) {
    text.pop_back();
  }
  if (!text.empty()) {
    text.pop_back();
  }
}

bool is_detail(page which) { return which == page::process || which == page::crash || which == page::help; }

} // namespace

state first_state(const options& given) {
  state first;
  first.address = clean(given.where.authority());
  first.sort = given.sort;
  first.descending = table_columns[given.sort].descending;
  first.search = given.search;
  return first;
}

app::app(asio::io_context& io, options given)
    : io_(io),
      given_(std::move(given)),
      state_(first_state(given_)),
      keys_(io, open_terminal()),
      signals_(io, SIGWINCH, SIGINT, SIGTERM),
      timer_(io) {
  signals_.add(SIGHUP);
  state_.unicode = screen_.unicode();
}

void app::run() {
  wait_for_keys();
  wait_for_signals();
  wait_for_time();
  refresh();
  draw();
  io_.run();
}

void app::wait_for_keys() {
  keys_.async_wait(asio::posix::descriptor_base::wait_read, [this](std::error_code error) {
    bool any = false;
    while (std::optional<key_press> pressed = screen_.read_key()) {
      any = true;
      press(*pressed);
    }
    if (error || (!any && has_hung_up(keys_.native_handle()))) {
      io_.stop();
      return;
    }
    draw();
    wait_for_keys();
  });
}

void app::wait_for_signals() {
  signals_.async_wait([this](std::error_code error, int signal) {
    if (error || signal != SIGWINCH) {
      io_.stop();
      return;
    }
    screen_.resize();
    ask_page(); // more rows, perhaps
    draw();
    wait_for_signals();
  });
}

void app::wait_for_time() {
  // A second at most, also where the interval is longer, for what has gone away to be found again.
  timer_.expires_after(
      connection_problem_.empty() ? given_.interval
                                  : std::min(given_.interval, std::chrono::milliseconds(1000)));
  timer_.async_wait([this](std::error_code error) {
    if (!error) {
      refresh();
      draw();
      wait_for_time();
    }
  });
}

void app::press(const key_press& pressed) {
  if (pressed.what == key::redraw) {
    screen_.redraw();
  } else if (state_.editing) {
    press_in_search(pressed);
  } else if (pressed.what == key::character) {
    press_character(pressed.character);
  } else if (pressed.what == key::enter) {
    enter();
  } else if (pressed.what == key::escape || pressed.what == key::backspace) {
    leave();
  } else {
    move(pressed);
  }
}

void app::press_in_search(const key_press& pressed) {
  std::string words = state_.search;
  switch (pressed.what) {
    case key::character:
      if (words.size() < longest_search) {
        append(words, pressed.character);
      }
      break;
    case key::backspace: remove_last_character(words); break;
    case key::clear_line: words.clear(); break;
    case key::enter: state_.editing = false; return;
    case key::escape:
      state_.editing = false;
      words = search_before_;
      break;
    default: move(pressed); return;
  }
  if (words != state_.search) {
    search_for(std::move(words));
  }
}

void app::press_character(char32_t character) {
  switch (character) {
    case U'q': io_.stop(); return;
    case U'h':
    case U'?': show(page::help); return;
    case U'p': show(page::processes); return;
    case U't': show(page::tree); return;
    case U'c': show(page::crashes); return;
    case U'i':
      if (state_.shown == page::process) {
        ask_status();
      }
      return;
    default: break;
  }
  if (state_.shown != page::processes) {
    return; // the other keys are for the table
  }
  if (character == U's') {
    sort_by(next_column(state_.sort));
  } else if (character == U'S') {
    sort_by(previous_column(state_.sort));
  } else if (character == U'r') {
    state_.descending = !state_.descending;
    state_.offset = 0;
    ask_page();
  } else if (character == U'/') {
    search_before_ = state_.search;
    state_.editing = true;
  } else if (character >= U'0' && character <= U'9') {
    sort_by(column_of_digit(static_cast<char>(character)));
  } else if (character >= U'A' && character <= U'Z') {
    sort_by(find_column(static_cast<char>(character)));
  }
}

void app::move(const key_press& pressed) {
  if (state_.shown == page::processes) {
    move_in_table(pressed);
    return;
  }
  std::size_t& at = state_.shown == page::tree      ? state_.tree_at.selected
                    : state_.shown == page::crashes ? state_.crashes_at.selected
                                                    : state_.detail_at;
  std::size_t step = rows_for_page(state_, screen_.size());
  switch (pressed.what) {
    case key::up: at -= std::min<std::size_t>(at, 1); break;
    case key::down: ++at; break;
    case key::page_up: at -= std::min(at, step); break;
    case key::page_down: at += step; break;
    case key::home: at = 0; break;
    case key::end:
      at = SIZE_MAX / 2; // draw() keeps it in bounds
      break;
    default: return;
  }
  keep_in_bounds(state_, screen_.size());
}

// The program sorts and cuts out the page, so that what moves at its edges is the offset.
void app::move_in_table(const key_press& pressed) {
  std::size_t step = rows();
  std::size_t matched = state_.processes ? state_.processes->matched : 0;
  std::size_t last = matched > step ? matched - step : 0; // the offset of the last page
  std::size_t shown = state_.processes ? std::min(state_.processes->rows.size(), step) : 0;
  std::size_t before = state_.offset;
  switch (pressed.what) {
    case key::up:
      if (state_.row > 0) {
        --state_.row;
      } else {
        state_.offset -= std::min<std::size_t>(state_.offset, 1);
      }
      break;
    case key::down:
      if (state_.row + 1 < shown) {
        ++state_.row;
      } else {
        state_.offset = std::min(state_.offset + 1, last);
      }
      break;
    case key::page_up:
      if (state_.offset == 0) {
        state_.row = 0;
      }
      state_.offset -= std::min(state_.offset, step);
      break;
    case key::page_down:
      if (state_.offset == last && shown > 0) {
        state_.row = shown - 1;
      }
      state_.offset = std::min(state_.offset + step, last);
      break;
    case key::home:
      state_.offset = 0;
      state_.row = 0;
      break;
    case key::end:
      state_.offset = last;
      state_.row = step - 1; // draw() keeps it in bounds
      break;
    default: return;
  }
  if (state_.offset != before) {
    ask_page();
  }
}

void app::enter() {
  std::uint64_t id = 0;
  if (state_.shown == page::processes && state_.processes && state_.row < state_.processes->rows.size()) {
    id = state_.processes->rows[state_.row].id;
  } else if (state_.shown == page::tree && state_.tree && state_.tree_at.selected < state_.tree->size()) {
    id = (*state_.tree)[state_.tree_at.selected].id;
  } else if (
      state_.shown == page::crashes && state_.crashes &&
      state_.crashes_at.selected < state_.crashes->crashes.size()) {
    state_.crash = state_.crashes_at.selected;
    show(page::crash);
    return;
  }
  if (id != 0) {
    state_.process = id;
    state_.detail.reset();
    state_.status.reset();
    state_.wants_status = false;
    show(page::process);
  }
}

void app::leave() {
  if (is_detail(state_.shown)) {
    show(state_.before);
  } else if (state_.shown == page::processes && !state_.search.empty()) {
    search_for({});
  }
}

void app::show(page which) {
  if (which == state_.shown) {
    return;
  }
  if (!is_detail(state_.shown)) {
    state_.before = state_.shown;
  }
  state_.shown = which;
  state_.detail_at = 0;
  page_problem_.clear();
  ask_page_anew();
}

void app::sort_by(std::size_t column) {
  if (column == no_column) {
    return;
  }
  if (column != state_.sort) {
    state_.sort = column;
    state_.descending = table_columns[column].descending;
  }
  state_.offset = 0;
  state_.row = 0;
  ask_page();
}

void app::search_for(std::string words) {
  state_.search = std::move(words);
  state_.offset = 0;
  state_.row = 0;
  ask_page();
}

void app::refresh() {
  ask_totals();
  ask_page();
}

void app::ask_totals() {
  if (totals_request_) {
    return;
  }
  asked_ = clock::now();
  totals_request_ = http_get::start(
      io_, given_.where, given_.token, totals_target, patience, [this](const http_result& result) {
        totals_request_.reset();
        bool was_lost = !connection_problem_.empty();
        connection_problem_ = explain(result, given_);
        if (connection_problem_.empty()) {
          std::optional<totals> read = read_totals(result.body);
          if (read) {
            state_.now = std::move(read);
          } else {
            connection_problem_ = not_understood(given_);
          }
        }
        if (was_lost != !connection_problem_.empty()) {
          wait_for_time(); // ends the wait that the timer is in
        }
        draw();
      });
}

// One request at a time: while a key repeats, what has changed meanwhile is asked when the answer has come.
void app::ask_page() {
  if (page_request_) {
    page_again_ = true;
    return;
  }
  page_again_ = false;
  std::string target = target_of(state_, rows());
  if (target.empty()) {
    return;
  }
  page_request_ =
      http_get::start(io_, given_.where, given_.token, target, patience, [this](const http_result& result) {
        page_request_.reset();
        take_page(result);
        if (page_again_) {
          ask_page();
        }
        draw();
      });
}

// For another page the answer that is on its way is of no use.
void app::ask_page_anew() {
  if (page_request_) {
    page_request_->cancel();
    page_request_.reset();
  }
  if (status_request_) {
    status_request_->cancel();
    status_request_.reset();
  }
  ask_page();
}

void app::take_page(const http_result& result) {
  page_problem_ = explain(result, given_);
  if (!page_problem_.empty()) {
    return;
  }
  if (!take_answer(state_, result.body)) {
    page_problem_ = not_understood(given_);
    return;
  }
  // There are fewer than there were: back to the last page.
  if (state_.shown == page::processes && state_.processes->rows.empty() && state_.offset != 0) {
    std::size_t matched = state_.processes->matched;
    state_.offset = matched > rows() ? std::min(matched - rows(), state_.offset - 1) : 0;
    page_again_ = true;
  }
}

void app::ask_status() {
  state_.wants_status = true;
  state_.status.reset();
  if (status_request_) {
    return;
  }
  status_request_ = http_get::start(
      io_, given_.where, given_.token, status_target_of(state_), patience, [this](const http_result& result) {
        status_request_.reset();
        state_.status = read_status(result.body);
        if (!state_.status) {
          std::string problem = explain(result, given_);
          state_.status = {problem.empty() ? not_understood(given_) : problem};
        }
        draw();
      });
}

void app::draw() {
  state_.problem =
      !connection_problem_.empty() ? connection_problem_ + " Trying again each second." : page_problem_;
  state_.waiting.clear();
  if (totals_request_ && clock::now() - asked_ > std::chrono::milliseconds(900)) {
    state_.waiting = "Waiting for the program to answer.";
  }
  extent size = screen_.size();
  keep_in_bounds(state_, size);
  screen_.draw(render(state_, size));
}

std::size_t app::rows() const {
  std::size_t room = rows_for_page(state_, screen_.size());
  return std::min<std::size_t>(given_.rows == 0 ? room : std::min(room, given_.rows), 1000);
}

} // namespace top
