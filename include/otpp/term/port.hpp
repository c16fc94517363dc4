// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/identity.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>

#include <compare>
#include <cstddef>
#include <functional>
#include <iosfwd>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// A port of Erlang's: a program, a file or a socket that a node has open. Only its node makes them; here it is kept, compared
/// and sent back, and is the same there.
///
/// A default-constructed one is none. It is sent as `undefined`, which fits no port, but a `std::optional` of one.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe if const.
///
/// @par Example
/// @code
/// struct opened { otpp::port by; static constexpr auto term = otpp::as::tagged("opened"); };   // {opened,Port}
/// @endcode
class port {
 public:
  /// None.
  port() noexcept = default;

  /// False for none.
  explicit operator bool() const noexcept { return !of_.is_none(); }

  friend bool operator==(const port&, const port&) = default;
  /// An order for maps and sets, which is not Erlang's.
  friend auto operator<=>(const port&, const port&) = default;

 private:
  friend struct detail::term_codec<port>;
  friend struct std::hash<port>;
  friend std::string to_string(const port& one) { return one.of_.print(); }

  detail::identity of_;
};

/// Prints it as `to_string` does.
///
/// @param out  Where it is printed; flags and width apply as to a string.
/// @param one  The port; `undefined` if it is none.
inline std::ostream& operator<<(std::ostream& out, const port& one) { return out << to_string(one); }

template <>
struct detail::term_codec<port> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const port& value) { value.of_.put(to); }
  // Its number has four bytes, or eight: eight are kept.
  static bool get(term_reader& from, port& value) {
    bool is_short = from.is(term_tag::new_port);
    if (!is_short && !from.is(term_tag::v4_port)) {
      return false;
    }
    term_writer head;
    head.tag(term_tag::v4_port);
    std::string_view zeros = is_short ? std::string_view("\0\0\0\0", 4) : std::string_view();
    return value.of_.read(from, std::move(head), zeros, is_short ? 8 : 12);
  }
};

} // namespace otpp

template <>
struct std::hash<otpp::port> {
  std::size_t operator()(const otpp::port& one) const noexcept { return one.of_.hash(); }
};

#pragma GCC visibility pop
