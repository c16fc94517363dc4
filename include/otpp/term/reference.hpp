// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/identity.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <ostream>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// A reference of Erlang's: what `make_ref/0` returns, and `monitor/2`. Only its node makes them; here it is kept, compared and
/// sent back, and is the same there.
///
/// A default-constructed one is none. It is sent as `undefined`, which fits no reference, but a `std::optional` of one.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe if const.
///
/// @par Example
/// @code
/// struct ping { otpp::reference which; static constexpr auto term = otpp::as::tagged("ping"); };   // {ping,Ref}
/// @endcode
class reference {
 public:
  /// None.
  reference() noexcept = default;

  /// False for none.
  explicit operator bool() const noexcept { return !of_.is_none(); }

  friend bool operator==(const reference&, const reference&) = default;
  /// An order for maps and sets, which is not Erlang's.
  friend auto operator<=>(const reference&, const reference&) = default;

 private:
  friend struct detail::term_codec<reference>;
  friend struct std::hash<reference>;
  friend std::string to_string(const reference& one) { return one.of_.print(); }

  detail::identity of_;
};

/// Prints it as `to_string` does.
///
/// @param out  Where it is printed; flags and width apply as to a string.
/// @param one  The reference; `undefined` if it is none.
inline std::ostream& operator<<(std::ostream& out, const reference& one) { return out << to_string(one); }

template <>
struct detail::term_codec<reference> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const reference& value) { value.of_.put(to); }
  static bool get(term_reader& from, reference& value) {
    constexpr std::uint64_t most_words = 5; // from 27 on; three before
    std::uint64_t words = 0;
    if (!from.is(term_tag::newer_reference) || !from.number(2, words) || words == 0 || words > most_words) {
      return false;
    }
    term_writer head;
    head.tag(term_tag::newer_reference);
    head.two(static_cast<std::uint32_t>(words));
    return value.of_.read(from, std::move(head), "", 4 + (4 * static_cast<std::size_t>(words)));
  }
};

} // namespace otpp

template <>
struct std::hash<otpp::reference> {
  std::size_t operator()(const otpp::reference& one) const noexcept { return one.of_.hash(); }
};

#pragma GCC visibility pop
