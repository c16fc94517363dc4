// SPDX-License-Identifier: BSL-1.0

// The terminal, through ncurses. The only file that knows ncurses is screen.cpp.

#pragma once

#include "view.hpp"

#include <optional>
#include <string>

namespace top {

enum class key {
  character,
  up,
  down,
  page_up,
  page_down,
  home,
  end,
  enter,
  escape,
  backspace,
  clear_line, // Ctrl-U
  redraw,     // Ctrl-L
  other,
};

struct key_press {
  key what = key::other;
  char32_t character = 0;
};

class screen {
 public:
  // Takes the terminal; the destructor gives it back as it was. Throws std::runtime_error with a sentence where
  // that cannot be.
  screen();
  ~screen();
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;

  // Whether it shows more than ASCII.
  bool unicode() const { return unicode_; }

  extent size() const;

  // After the window has another size.
  void resize();

  void draw(const frame& what);

  // Draws all of it with the next draw(), over what others have written.
  void redraw();

  // A key that has been pressed, without waiting for one.
  std::optional<key_press> read_key();

 private:
  bool unicode_ = false;
  bool colors_ = false;
};

} // namespace top
