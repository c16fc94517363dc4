// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/detail/atom_text.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <string>

using otpp::detail::is_atom_text;

TEST_CASE("atom_text: the text of an atom has at most 255 characters, each of up to four bytes", "[term]") {
  CHECK(is_atom_text(""));
  CHECK(is_atom_text(std::string(255, 'a')));
  CHECK_FALSE(is_atom_text(std::string(256, 'a')));
  std::string wide;
  for (int n = 0; n != 255; ++n) {
    wide += "\xF0\x9F\x98\x80";
  }
  CHECK(is_atom_text(wide));
  CHECK_FALSE(is_atom_text(wide + "a"));
  // Wherever what is no UTF-8 stands.
  for (std::size_t size = 1; size != 20; ++size) {
    for (std::size_t at = 0; at != size; ++at) {
      std::string text(size, 'a');
      text[at] = '\xFF';
      CHECK_FALSE(is_atom_text(text));
    }
  }
}
