// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

using md5_digest = std::array<unsigned char, 16>;

// MD5 of one text, as RFC 1321 has it. It is here because the protocol of Erlang's nodes asks for it, and is good for nothing else.
class md5_hash {
 public:
  md5_digest operator()(std::string_view bytes) noexcept {
    std::string_view left = bytes;
    for (; left.size() >= block_size; left.remove_prefix(block_size)) {
      block(left);
    }
    // A one, zeros, and the length in bits: one block more, or two.
    std::array<char, 2 * block_size> last{};
    std::copy(left.begin(), left.end(), last.begin());
    last[left.size()] = '\x80';
    std::size_t size = left.size() < block_size - 8 ? block_size : 2 * block_size;
    std::uint64_t bits = std::uint64_t(bytes.size()) * 8;
    for (std::size_t at = size - 8; at != size; ++at, bits >>= 8) {
      last[at] = static_cast<char>(bits & 0xFF);
    }
    for (std::size_t at = 0; at != size; at += block_size) {
      block(std::string_view(last.data() + at, block_size));
    }
    md5_digest digest{};
    for (std::size_t at = 0; at != digest.size(); ++at) {
      digest[at] = static_cast<unsigned char>(state_[at / 4] >> (8 * (at % 4)) & 0xFF);
    }
    return digest;
  }

 private:
  static constexpr std::size_t block_size = 64;

  void block(std::string_view bytes) noexcept {
    std::array<std::uint32_t, 16> words{};
    for (std::size_t at = 0; at != block_size; ++at) {
      words[at / 4] |= std::uint32_t(static_cast<unsigned char>(bytes[at])) << (8 * (at % 4));
    }
    std::uint32_t a = state_[0];
    std::uint32_t b = state_[1];
    std::uint32_t c = state_[2];
    std::uint32_t d = state_[3];
    for (std::size_t step = 0; step != block_size; ++step) {
      std::uint32_t mixed = 0;
      std::size_t word = 0;
      switch (step / 16) {
        case 0:
          mixed = (b & c) | (~b & d);
          word = step;
          break;
        case 1:
          mixed = (d & b) | (~d & c);
          word = (5 * step + 1) % 16;
          break;
        case 2:
          mixed = b ^ c ^ d;
          word = (3 * step + 5) % 16;
          break;
        default: mixed = c ^ (b | ~d); word = (7 * step) % 16;
      }
      mixed += a + sines[step] + words[word];
      a = d;
      d = c;
      c = b;
      b += std::rotl(mixed, turns[step / 16][step % 4]);
    }
    state_[0] += a;
    state_[1] += b;
    state_[2] += c;
    state_[3] += d;
  }

  static constexpr std::array<std::array<int, 4>, 4> turns{
      {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};
  // clang-format off
  static constexpr std::array<std::uint32_t, block_size> sines{
      0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
      0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
      0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
      0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
      0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
      0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
      0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
      0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
  // clang-format on

  std::array<std::uint32_t, 4> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
};

inline md5_digest md5(std::string_view bytes) noexcept { return md5_hash()(bytes); }

// What shows that somebody has the cookie: the digest of the cookie and a challenge in base 10.
inline md5_digest cookie_digest(std::string_view cookie, std::uint32_t challenge) {
  return md5(std::string(cookie) + std::to_string(challenge));
}

// Compares in a time that does not say how much is the same, so that nobody finds out a digest byte by byte. False if there are
// not so many bytes.
inline bool is_digest(std::string_view bytes, const md5_digest& wanted) noexcept {
  if (bytes.size() != wanted.size()) {
    return false;
  }
  unsigned different = 0;
  for (std::size_t at = 0; at != wanted.size(); ++at) {
    different |= static_cast<unsigned char>(bytes[at]) ^ unsigned(wanted[at]);
  }
  return different == 0;
}

} // namespace otpp::detail

#pragma GCC visibility pop
