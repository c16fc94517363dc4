// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/containers.hpp>
#include <otpp/term/detail/forms.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/term/limits.hpp>
#include <otpp/term/value.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Thrown by `from_bytes`: the bytes are no term, or one that does not fit. `what()` shows it, cut at 200 bytes.
class bad_term : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Returns a value's bytes in the external term format, with the version byte: what Erlang's `binary_to_term/1` takes.
///
/// @param value  Of a type that has a form: a number, a text, a container, or one with a `term` of its own
///               (`term_of`).
///
/// @par Errors
/// std::invalid_argument for a float that is infinite or not a number, and for an enum's value that its form
/// does not list; std::length_error for more than 2^32 - 1 elements or bytes.
///
/// @par Example
/// @code
/// struct add { int n; static constexpr auto term = otpp::as::tagged("add"); };
/// std::string bytes = otpp::to_bytes(add{5});   // {add,5}
/// @endcode
template <class T>
std::string to_bytes(const T& value) {
  detail::term_writer to;
  to.byte(detail::term_version);
  detail::put_term(to, value);
  return to.take();
}

/// Decodes bytes that are believed nothing: what Erlang's `term_to_binary/1` returns. Compressed ones are refused.
///
/// @param bytes   All of them are one term.
/// @param value   Where the result goes; unspecified if it does not fit.
/// @param limits  What decoding may cost; by default 64 levels, and four times the length of the bytes and a
///                mebibyte.
///
/// Returns false if the bytes are no term, or one that does not fit the type's form or the limits: an integer that is out of
/// range does not fit.
///
/// @par Complexity
/// Linear in the length of the bytes, unless variants are in each other.
template <class T>
bool from_bytes(std::string_view bytes, T& value, term_limits limits = {}) {
  detail::term_reader from(bytes, limits);
  return from.is(detail::term_tag{detail::term_version}) && detail::get_term(from, value) &&
         from.left().empty();
}

/// The same, as a value. Throws `bad_term` where that returns false.
///
/// @param bytes   As above.
/// @param limits  As above.
///
/// @par Example
/// @code
/// auto sizes = otpp::from_bytes<std::map<std::string, int>>(bytes);
/// @endcode
template <class T>
T from_bytes(std::string_view bytes, term_limits limits = {}) {
  static_assert(detail::check_default<T>());
  std::optional<T> value(std::in_place);
  if (!from_bytes(bytes, *value, limits)) {
    term whole;
    bool is_term = from_bytes(bytes, whole, term_limits{.depth = 64, .memory = bytes.size()});
    throw bad_term(
        is_term ? "otpp: a term does not fit: " + whole.view().text(200)
                : "otpp: " + std::to_string(bytes.size()) + " bytes are no term in Erlang's external format");
  }
  return std::move(*value);
}

} // namespace otpp

#pragma GCC visibility pop
