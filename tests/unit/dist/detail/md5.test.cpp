// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/md5.hpp>

#include "support/catch.hpp"
#include "support/from_hex.hpp"

#include <cstddef>
#include <string>
#include <string_view>

using otpp::detail::cookie_digest;
using otpp::detail::is_digest;
using otpp::detail::md5;

TEST_CASE("md5: the vectors of RFC 1321", "[dist]") {
  CHECK(is_digest(from_hex("d41d8cd98f00b204e9800998ecf8427e"), md5("")));
  CHECK(is_digest(from_hex("0cc175b9c0f1b6a831c399e269772661"), md5("a")));
  CHECK(is_digest(from_hex("900150983cd24fb0d6963f7d28e17f72"), md5("abc")));
  CHECK(is_digest(from_hex("f96b697d7cb7938d525a2f31aaf161d0"), md5("message digest")));
  CHECK(is_digest(from_hex("c3fcd3d76192e4007dfb496cca67e13b"), md5("abcdefghijklmnopqrstuvwxyz")));
  CHECK(is_digest(
      from_hex("d174ab98d277d9f5a5611c2c9f419d9f"),
      md5("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")));
  CHECK(is_digest(
      from_hex("57edf4a22be3c955ac49da2e2107b67a"),
      md5("12345678901234567890123456789012345678901234567890123456789012345678901234567890")));
}

TEST_CASE("md5: where the length needs a block of its own", "[dist]") {
  // Of so many a, by md5sum.
  CHECK(is_digest(from_hex("ef1772b6dff9a122358552954ad0df65"), md5(std::string(55, 'a'))));
  CHECK(is_digest(from_hex("3b0c8ac703f828b04c6c197006d17218"), md5(std::string(56, 'a'))));
  CHECK(is_digest(from_hex("b06521f39153d618550606be297466d5"), md5(std::string(63, 'a'))));
  CHECK(is_digest(from_hex("014842d480b571495a4a0363793f7367"), md5(std::string(64, 'a'))));
  CHECK(is_digest(from_hex("7707d6ae4e027c70eea2a935c2296f21"), md5(std::string(1'000'000, 'a'))));
}

TEST_CASE("md5: the digest of a cookie and a challenge is Erlang's", "[dist]") {
  // erlang:md5("secret" ++ integer_to_list(3735928559)).
  CHECK(is_digest(from_hex("c3939b31d7a913d82e2ace09247c7b41"), cookie_digest("secret", 3735928559u)));
  CHECK(cookie_digest("secret", 0) == md5("secret0"));
}

TEST_CASE("md5: two digests are the same if each byte is", "[dist]") {
  const std::string same = from_hex("900150983cd24fb0d6963f7d28e17f72");
  CHECK(is_digest(same, md5("abc")));
  CHECK_FALSE(is_digest(std::string_view(same).substr(0, 15), md5("abc")));
  CHECK_FALSE(is_digest(same + "x", md5("abc")));
  CHECK_FALSE(is_digest("", md5("abc")));
  for (std::size_t bit = 0; bit != 128; ++bit) {
    std::string other = same;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(is_digest(other, md5("abc")));
  }
}
