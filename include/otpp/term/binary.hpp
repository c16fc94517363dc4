// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// An Erlang binary: bytes that never change, and that copies share. A `std::string` is one there, too; this is for bytes that
/// are sent to many, or are kept while they are sent on.
///
/// @par Thread safety
/// Distinct objects: safe, also those that share their bytes. Shared objects: safe if const.
///
/// @par Lifetime
/// Owns its bytes: one that was decoded keeps nothing of what it was decoded from.
///
/// @par Example
/// @code
/// otpp::binary picture(std::move(file));   // a std::string, whose bytes are not copied
/// for (auto& viewer : viewers) { otpp::try_send(viewer, frame{picture}); }
/// @endcode
class binary {
 public:
  /// Without a byte, `<<>>`.
  binary() noexcept = default;

  /// Takes the bytes of a string, without copying them.
  ///
  /// @param bytes  Any bytes; moved from.
  explicit binary(std::string&& bytes)
      : bytes_(bytes.empty() ? nullptr : std::make_shared<const std::string>(std::move(bytes))) {}

  /// Copies the bytes of a text.
  ///
  /// @param text  Any string or view; a literal without its closing zero.
  template <std::convertible_to<std::string_view> Text>
  explicit binary(const Text& text) : binary(std::string(std::string_view(text))) {}

  /// Copies bytes.
  ///
  /// @param bytes  Any bytes; without any it is `<<>>`.
  explicit binary(std::span<const std::byte> bytes)
      : binary(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())) {}

  /// Returns its bytes.
  ///
  /// @par Lifetime
  /// Valid as long as this or a copy of it.
  std::string_view view() const noexcept { return bytes_ ? std::string_view(*bytes_) : std::string_view(); }

  friend bool operator==(const binary& a, const binary& b) noexcept { return a.view() == b.view(); }
  friend auto operator<=>(const binary& a, const binary& b) noexcept { return a.view() <=> b.view(); }

 private:
  std::shared_ptr<const std::string> bytes_; // null: there are none
};

template <>
struct detail::term_codec<binary> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const binary& value) { to.binary(value.view()); }
  static bool get(term_reader& from, binary& value) {
    constexpr std::size_t beside = 64; // what is allocated with the bytes
    std::string_view bytes;
    if (!from.is(term_tag::binary) || !from.counted(4, bytes) || !(bytes.empty() || from.spend(beside)) ||
        !from.spend(bytes.size())) {
      return false;
    }
    value = binary(bytes);
    return true;
  }
};

} // namespace otpp

template <>
struct std::hash<otpp::binary> {
  std::size_t operator()(const otpp::binary& one) const noexcept {
    return std::hash<std::string_view>()(one.view());
  }
};

#pragma GCC visibility pop
