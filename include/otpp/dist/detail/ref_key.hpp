// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/identity.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A reference of a peer's as the key of a table: without the node, because who makes references for others harms
// only itself. Those with no words are ours, for what has come without a reference.
struct ref_key {
  ref_key() = default;
  explicit ref_key(const ref_view& one) noexcept
      : creation(one.creation), count(one.count), words(one.words) {}
  explicit ref_key(std::uint64_t number) noexcept
      : words{static_cast<std::uint32_t>(number >> 32), static_cast<std::uint32_t>(number)} {}

  friend bool operator==(const ref_key&, const ref_key&) = default;

  std::uint32_t creation = 0;
  std::size_t count = 0;
  std::array<std::uint32_t, ref_view::most_words> words{};
};

// Peers choose the words, so that the hash has secrets: nobody can choose references that collide.
struct ref_key_hash {
  std::size_t operator()(const ref_key& one) const noexcept {
    static const std::array<std::uint64_t, 2> secret = make_secret();
    std::uint64_t hash = secret[0] ^ one.creation;
    for (std::uint32_t word : one.words) {
      hash = (hash ^ word) * secret[1];
      hash ^= hash >> 32;
    }
    return static_cast<std::size_t>(hash);
  }

 private:
  static std::array<std::uint64_t, 2> make_secret() {
    std::random_device source;
    auto eight = [&] { return std::uint64_t(source()) << 32 | source(); };
    return {eight(), eight() | 1};
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
