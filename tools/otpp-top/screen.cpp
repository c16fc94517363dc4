// SPDX-License-Identifier: BSL-1.0

#include "screen.hpp"

#include "text.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <stdexcept>

#define NCURSES_NOMACROS // they would rename members of the standard library
#define NCURSES_WIDECHAR 1
#include <curses.h>

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace top {

namespace {

enum pair : short { lint_pair = 1, error_pair, title_pair };

attr_t attributes(look how) {
  switch (how) {
    case look::plain: return A_NORMAL;
    case look::title:
    case look::lint:
    case look::error: return A_BOLD;
    case look::head: return A_UNDERLINE | A_BOLD;
    case look::ended:
    case look::note: return A_DIM;
    case look::selected: return A_REVERSE;
  }
  return A_NORMAL;
}

short color(look how) {
  switch (how) {
    case look::lint: return lint_pair;
    case look::error: return error_pair;
    case look::title: return title_pair;
    default: return 0;
  }
}

} // namespace

screen::screen() {
  unicode_ = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
  const char* terminal = std::getenv("TERM"); // NOLINT(concurrency-mt-unsafe): no other thread runs yet
  if (::newterm(nullptr, stdout, stdin) == nullptr) {
    throw std::runtime_error(
        "The terminal \"" + clean(terminal == nullptr ? "" : terminal) +
        "\" (TERM) is unknown here; --once needs none.");
  }
  ::cbreak(); // Ctrl-C and Ctrl-Z stay signals
  ::noecho();
  ::nonl(); // Enter is not Ctrl-J
  ::keypad(stdscr, TRUE);
  ::nodelay(stdscr, TRUE);
  ::set_escdelay(25);
  if (std::getenv("NO_COLOR") == nullptr && ::has_colors()) { // NOLINT(concurrency-mt-unsafe)
    ::start_color();
    ::use_default_colors();
    ::init_pair(lint_pair, COLOR_YELLOW, -1);
    ::init_pair(error_pair, COLOR_RED, -1);
    ::init_pair(title_pair, COLOR_CYAN, -1);
    colors_ = true;
  }
}

screen::~screen() { ::endwin(); }

extent screen::size() const {
  int rows = ::getmaxy(stdscr);
  int columns = ::getmaxx(stdscr);
  return {rows > 0 ? static_cast<std::size_t>(rows) : 1, columns > 0 ? static_cast<std::size_t>(columns) : 1};
}

void screen::resize() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
    ::resizeterm(size.ws_row, size.ws_col);
  }
}

void screen::draw(const frame& what) {
  ::werase(stdscr);
  int columns = ::getmaxx(stdscr);
  int row = 0;
  for (const line& each : what.lines) {
    std::wstring text;
    for (std::string_view rest = each.text; !rest.empty();) {
      decoded next = decode(rest);
      auto character = static_cast<wchar_t>(next.character);
      text += ::wcwidth(character) < 0 ? L'?' : character;
      rest.remove_prefix(next.length);
    }
    if (each.how == look::selected) {
      std::size_t used = width(each.text);
      text.append(
          static_cast<std::size_t>(columns) - std::min(used, static_cast<std::size_t>(columns)), L' ');
    }
    ::wattr_set(stdscr, attributes(each.how), colors_ ? color(each.how) : short{0}, nullptr);
    ::wmove(stdscr, row++, 0);
    ::waddnwstr(stdscr, text.c_str(), static_cast<int>(text.size()));
  }
  ::wattr_set(stdscr, A_NORMAL, 0, nullptr);
  ::curs_set(what.cursor ? 1 : 0);
  if (what.cursor) {
    ::wmove(stdscr, row - 1, static_cast<int>(*what.cursor));
  }
  ::wrefresh(stdscr);
}

void screen::redraw() { ::clearok(curscr, TRUE); }

std::optional<key_press> screen::read_key() {
  wint_t pressed = 0;
  int kind = ::wget_wch(stdscr, &pressed);
  if (kind == ERR) {
    return {};
  }
  if (kind == KEY_CODE_YES) {
    switch (pressed) {
      case KEY_UP: return key_press{key::up};
      case KEY_DOWN: return key_press{key::down};
      case KEY_PPAGE: return key_press{key::page_up};
      case KEY_NPAGE: return key_press{key::page_down};
      case KEY_HOME: return key_press{key::home};
      case KEY_END: return key_press{key::end};
      case KEY_ENTER: return key_press{key::enter};
      case KEY_BACKSPACE: return key_press{key::backspace};
      default: return key_press{key::other};
    }
  }
  switch (pressed) {
    case L'\r':
    case L'\n': return key_press{key::enter};
    case 0x1b: return key_press{key::escape};
    case 0x08:
    case 0x7f: return key_press{key::backspace};
    case 0x15: return key_press{key::clear_line};
    case 0x0c: return key_press{key::redraw};
    default:
      return pressed < 0x20 ? key_press{key::other}
                            : key_press{key::character, static_cast<char32_t>(pressed)};
  }
}

} // namespace top
