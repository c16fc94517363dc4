// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/handshake_flags.hpp>

#include "support/catch.hpp"

#include <cstdint>

using flags = otpp::detail::handshake_flags;

TEST_CASE("handshake flags: what we announce and require", "[dist]") {
  CHECK(flags::announced == 0xc07c74fbc);
  CHECK(flags::mandatory_25 == 0x1070f94); // as OTP 25 says by erts_internal:get_dflags()
  CHECK(flags::missing(flags::announced) == 0);
  CHECK(flags::missing(0xd07df7fbc) == 0); // of OTP 25
}

TEST_CASE("handshake flags: the digest stands for those of OTP 25", "[dist]") {
  const std::uint64_t short_form = flags::mandatory_25_digest | flags::v4_nc | flags::unlink_id;
  CHECK(flags::missing(short_form) == 0);
  CHECK(flags::expanded(short_form) == (short_form | flags::mandatory_25));
  CHECK(flags::expanded(flags::alias) == flags::alias);
  // Bit 36, as the documentation of OTP has it, says nothing.
  CHECK(flags::missing(std::uint64_t(1) << 36 | flags::v4_nc | flags::unlink_id) == flags::mandatory_25);
}

TEST_CASE("handshake flags: each that is missing is named", "[dist]") {
  const std::uint64_t without_digest = flags::announced & ~flags::mandatory_25_digest;
  CHECK(flags::names(flags::missing(without_digest & ~flags::v4_nc)) == "V4_NC");
  CHECK(
      flags::names(flags::missing(without_digest & ~flags::v4_nc & ~flags::unlink_id)) == "UNLINK_ID, V4_NC");
  for (std::uint64_t bit = 1; bit != 0; bit <<= 1) {
    CHECK(flags::names(bit).empty() == ((flags::required & bit) == 0));
    CHECK(flags::missing(without_digest & ~bit) == (flags::required & bit));
  }
}
