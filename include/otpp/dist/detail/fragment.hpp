// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <array>
#include <cstddef>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The forms of a frame, told apart by its first bytes. Between nodes that take fragments it is whole, or a part of a message:
//
//   131 68 0                         the control message, and what it carries
//   131 69 sequence:64 left:64 0     their first bytes; `left` counts the fragments, with this one
//   131 70 sequence:64 left:64       more of their bytes; 1 is the last one
//
// The zero is the number of atoms in a cache that we have not announced. With others, a frame is always whole, and both parts have a
// version byte of their own: 112 131 control 131 carried.
inline constexpr std::array<unsigned char, 3> whole_frame{131, 68, 0};
inline constexpr unsigned char first_fragment = 69;
inline constexpr unsigned char next_fragment = 70;
inline constexpr unsigned char pass_through = 112;

// How many bytes of a message a fragment of ours has, as OTP's. Peers may choose another size.
inline constexpr std::size_t fragment_size = std::size_t(64) * 1024;

} // namespace otpp::detail

#pragma GCC visibility pop
