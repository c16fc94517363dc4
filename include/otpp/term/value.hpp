// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/atom.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/containers.hpp>
#include <otpp/term/detail/forms.hpp>
#include <otpp/term/detail/print.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/term/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

class term_view;

/// Any Erlang term: also those that no type of C++ has, such as funs, references and integers above 64 bits.
///
/// It keeps the bytes that came, and gives them back: a term that is received and sent on is the same. Two terms are
/// equal if their bytes are; two encodings of one term, such as maps whose keys came in another order, are not.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe if const.
///
/// @par Example
/// @code
/// otpp::term answer = otpp::from_bytes<otpp::term>(bytes);
/// if (auto count = answer.get<int>()) { std::cout << *count; } else { std::cout << answer; }   // {error,not_found}
/// @endcode
class term {
 public:
  /// The empty list, `[]`.
  term() : bytes_(1, static_cast<char>(detail::term_tag::nil)) {}

  /// The term of a value.
  ///
  /// @param value  Of a type that has a form. Throws as `to_bytes` does.
  template <class T>
  static term of(const T& value) {
    detail::term_writer to;
    detail::put_term(to, value);
    term made;
    made.bytes_ = to.take();
    return made;
  }

  /// Returns it as a value of a type that has a form; nothing if it does not fit that, or the limits.
  ///
  /// @param limits  What decoding may cost.
  template <class T>
  std::optional<T> get(term_limits limits = {}) const;

  /// Returns a view, which walks it without copying. Valid as long as this is, and unchanged.
  term_view view() const noexcept;

  /// Returns its bytes in the external term format, without the version byte.
  const std::string& bytes() const noexcept { return bytes_; }

  friend bool operator==(const term&, const term&) = default;

 private:
  friend struct detail::term_codec<term>;
  std::string bytes_;
};

/// A term, or a part of one, whose bytes belong to somebody else.
///
/// @par Lifetime
/// Valid as long as the term that it came from.
class term_view {
 public:
  /// What a term may be.
  enum class kind : std::uint8_t {
    atom,
    integer,
    floating,
    tuple,
    list,
    map,
    binary,
    bits,
    pid,
    port,
    reference,
    fun
  };

  /// Returns what it is. A list may be improper.
  kind what() const noexcept;

  /// Returns true if it is a certain atom.
  ///
  /// @param text  The atom's name.
  bool is_atom(std::string_view text) const {
    std::optional<atom> one = get<atom>();
    return one && *one == text;
  }

  /// Returns it as a value of a type that has a form; nothing if it does not fit that, or the limits.
  ///
  /// @param limits  What decoding may cost.
  template <class T>
  std::optional<T> get(term_limits limits = {}) const {
    static_assert(detail::check_default<T>());
    detail::term_reader from(bytes_, limits);
    std::optional<T> value(std::in_place);
    if (!detail::get_term(from, *value) || !from.left().empty()) {
      value.reset();
    }
    return value;
  }

  /// Returns the elements of a tuple or a list; of a map its keys and values in turn; nothing of others. The tail of an improper
  /// list comes last. O(length of the bytes).
  std::vector<term_view> elements() const;

  /// Returns the value of a key of a map, nothing if it has none, or is no map. Of equal keys the last
  /// counts.
  ///
  /// @param key  The name of the atom that is the key.
  std::optional<term_view> at(std::string_view key) const {
    std::vector<term_view> all = what() == kind::map ? elements() : std::vector<term_view>();
    std::optional<term_view> found; // of equal keys the last
    for (std::size_t n = 0; n != all.size(); n += 2) {
      found = all[n].is_atom(key) ? all[n + 1] : found;
    }
    return found;
  }

  /// Returns a copy that keeps its bytes.
  term copy() const { return *get<term>(term_limits{.depth = 64, .memory = bytes_.size()}); }

  /// Returns it as Erlang prints it, in one line.
  ///
  /// @param most  After how many bytes it is cut, which `...` then says.
  std::string text(std::size_t most = 10'000) const { return detail::term_printer(bytes_, most).print(); }

 private:
  friend class term;
  explicit term_view(std::string_view bytes) noexcept : bytes_(bytes) {}
  std::string_view bytes_; // of one whole term
};

inline term_view term::view() const noexcept { return term_view(bytes_); }

template <class T>
std::optional<T> term::get(term_limits limits) const {
  return view().get<T>(limits);
}

/// Returns a term as Erlang's shell prints it, in one line: `{add,<<"ann">>,[1,2]}`. Integers above 64 bits
/// are in base 16. What belongs to a node is named with it: `#Pid<erl@host.91.0>`.
///
/// @param one  The term; of a long one the first 10,000 bytes are printed.
inline std::string to_string(const term& one) { return one.view().text(); }

/// Prints it as `to_string` does.
///
/// @param out  Where it is printed; flags and width apply as to a string.
/// @param one  The term.
inline std::ostream& operator<<(std::ostream& out, const term& one) { return out << to_string(one); }

// ---- implementation ----

template <>
struct detail::term_codec<term> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const term& value) { to.raw(value.bytes_); }
  static bool get(term_reader& from, term& value) {
    std::size_t place = from.place();
    if (!from.skip() || !from.spend(from.since(place).size())) {
      return false;
    }
    value.bytes_ = from.since(place);
    return true;
  }
};

inline term_view::kind term_view::what() const noexcept {
  using detail::term_tag;
  switch (detail::term_reader(bytes_).tag()) {
    case term_tag::small_integer:
    case term_tag::integer:
    case term_tag::small_big:
    case term_tag::large_big: return kind::integer;
    case term_tag::new_float:
    case term_tag::old_float: return kind::floating;
    case term_tag::small_tuple:
    case term_tag::large_tuple: return kind::tuple;
    case term_tag::nil:
    case term_tag::string:
    case term_tag::list: return kind::list;
    case term_tag::map: return kind::map;
    case term_tag::binary: return kind::binary;
    case term_tag::bit_binary: return kind::bits;
    case term_tag::new_pid: return kind::pid;
    case term_tag::new_port:
    case term_tag::v4_port: return kind::port;
    case term_tag::newer_reference: return kind::reference;
    case term_tag::exported:
    case term_tag::new_fun: return kind::fun;
    default: return kind::atom;
  }
}

inline std::vector<term_view> term_view::elements() const {
  using detail::term_tag;
  std::vector<term_view> all;
  detail::term_reader from(bytes_);
  std::size_t size = 0;
  if (from.tag() == term_tag::string) {
    // Each byte is an integer, whose term is not there: those of all bytes are kept here.
    static const std::string integers = [] {
      std::string text;
      for (unsigned byte = 0; byte != 256; ++byte) {
        text += static_cast<char>(term_tag::small_integer);
        text += static_cast<char>(byte);
      }
      return text;
    }();
    for (char each : bytes_.substr(3)) {
      all.push_back(
          term_view(std::string_view(integers).substr(2 * std::size_t(static_cast<unsigned char>(each)), 2)));
    }
    return all;
  }
  bool is_list = from.is(term_tag::list);
  if (is_list) {
    from.count(4, 1, size);
  } else if (from.tag() == term_tag::map) {
    from.map(size);
    size *= 2;
  } else if (!from.tuple(size)) {
    return all;
  }
  for (std::size_t n = 0; n != size; ++n) {
    std::size_t place = from.place();
    from.skip();
    all.push_back(term_view(from.since(place)));
  }
  if (is_list && from.tag() != term_tag::nil) {
    all.push_back(term_view(from.left()));
  }
  return all;
}

} // namespace otpp

template <>
struct std::hash<otpp::term> {
  std::size_t operator()(const otpp::term& one) const noexcept {
    return std::hash<std::string>()(one.bytes());
  }
};

#pragma GCC visibility pop
