// SPDX-License-Identifier: BSL-1.0

// A handshake with anybody: bytes say which role we have, what comes, and what our owner decides. Nobody gets in without the
// cookie, and who fails hears why, but never the cookie.

#include <otpp/detail/util/utf8.hpp>
#include <otpp/dist/detail/handshake.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace otpp::detail;

namespace {

constexpr std::string_view cookie = "the cookie of this test";
constexpr std::uint32_t challenge = 0x01020304;

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }
}

// What comes, piece by piece: an act, and for some a length and so many bytes.
class script {
 public:
  explicit script(std::string_view bytes) : from_(bytes) {}

  bool next(std::uint64_t& act, std::string_view& bytes) {
    bytes = {};
    return from_.number(1, act) && (act >= 3 || from_.counted(2, bytes));
  }

 private:
  term_reader from_;
};

void decide(accepting_handshake& role, std::uint64_t act) {
  role.answer(static_cast<accept_status>(act % 5));
}
void decide(connecting_handshake& role, std::uint64_t act) { role.go_on(act % 2 == 0); }

template <class Role>
void check(Role& role) {
  for (const std::string& payload : role.take_outgoing()) {
    require(!payload.empty() && payload.size() <= handshake_longest, "what is sent is empty, or too long");
    require(payload.find(cookie) == std::string::npos, "the cookie is sent");
  }
  if (role.progress() == handshake_progress::failed) {
    const std::string& text = role.failure().text;
    require(
        text.starts_with("otpp: ") && text.find(cookie) == std::string::npos, "nothing is said, or too much");
    require(count_characters(text) != std::string_view::npos, "what is said is no text");
  }
}

template <class Role>
void talk(Role& role, script acts, char digest_kind) {
  const md5_digest right = cookie_digest(cookie, challenge);
  const std::string digest(right.begin(), right.end());
  check(role);
  std::uint64_t act = 0;
  std::string_view bytes;
  while (role.progress() != handshake_progress::done && acts.next(act, bytes)) {
    bool has_failed = role.progress() == handshake_progress::failed;
    std::string payload(bytes);
    if (act == 2) {
      payload += digest; // as only who has the cookie can
    }
    if (act < 3) {
      role.take(payload);
    } else if (act == 3) {
      role.closed();
    } else if (act == 4) {
      role.timed_out();
    } else if (role.progress() == handshake_progress::asking) {
      decide(role, act);
    }
    require(!has_failed || role.progress() == handshake_progress::failed, "a failed handshake goes on");
    if (role.progress() == handshake_progress::done) {
      require(
          payload.front() == digest_kind && payload.size() > digest.size(), "it is done by something else");
      require(payload.substr(payload.size() - digest.size()) == digest, "it is done without the cookie");
      require(handshake_flags::missing(role.peer().flags) == 0, "flags that are required are missing");
      node_name parts;
      require(split_node_name(role.peer().name, parts).empty(), "the peer has no name");
    }
    check(role);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size); // AddressSanitizer knows where it ends
  if (bytes.empty()) {
    return 0;
  }
  script acts(std::string_view(bytes).substr(1));
  handshake_side mine{.name = "cpp@127.0.0.1", .cookie = std::string(cookie), .creation = 1};
  if (bytes[0] % 2 == 0) {
    accepting_handshake role(mine, challenge);
    talk(role, acts, 'r');
  } else {
    connecting_handshake role(mine, "erl@127.0.0.1", challenge);
    talk(role, acts, 'a');
  }
  return 0;
}
