// SPDX-License-Identifier: BSL-1.0

#include <otpp/error.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <exception>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

static_assert(std::is_base_of_v<std::system_error, otpp::error>);
static_assert(std::is_error_code_enum_v<otpp::errc>);

TEST_CASE("error: every code has a sentence of its own", "[error]") {
  std::set<std::string> texts;
  for (otpp::errc code :
       {otpp::errc::no_process, otpp::errc::exited, otpp::errc::timeout, otpp::errc::no_reply,
        otpp::errc::calling_self, otpp::errc::bad_message, otpp::errc::name_taken, otpp::errc::ignored,
        otpp::errc::mailbox_full, otpp::errc::deadlock, otpp::errc::already_started,
        otpp::errc::already_present, otpp::errc::not_found, otpp::errc::running, otpp::errc::max_children,
        otpp::errc::draining}) {
    std::error_code made = code;
    CHECK(made == code);
    CHECK(made); // none of them is zero
    CHECK(&made.category() == &otpp::otpp_category());
    CHECK(made.message() != otpp::otpp_category().message(4711));
    texts.insert(made.message());
  }
  CHECK(texts.size() == 16);
  CHECK(std::string(otpp::otpp_category().name()) == "otpp");
}

TEST_CASE("error: a timeout is a timeout to those who do not know otpp", "[error]") {
  CHECK(otpp::make_error_code(otpp::errc::timeout) == std::errc::timed_out);
  CHECK_FALSE(otpp::make_error_code(otpp::errc::no_process) == std::errc::timed_out);
  CHECK_FALSE(otpp::make_error_code(otpp::errc::timeout) == otpp::errc::exited);
}

TEST_CASE("error: carries the reason, and says all in words", "[error]") {
  otpp::exit_reason why = std::runtime_error("disk full");
  otpp::error error(otpp::errc::exited, "otpp: call", why);
  CHECK(error.code() == otpp::errc::exited);
  CHECK(error.reason() == why);
  CHECK(otpp::error(otpp::errc::timeout).reason() == otpp::exit_reason::normal());

  try {
    std::rethrow_exception(otpp::detail::make_error(otpp::errc::exited, "call", "kv::get", "\"kv\"", why));
    FAIL("it is thrown");
  } catch (const otpp::error& made) {
    std::string text = made.what();
    for (const char* part : {"call", "kv::get", "\"kv\"", "disk full"}) {
      CHECK(text.find(part) != std::string::npos);
    }
    CHECK(made.reason() == why);
  }
}

TEST_CASE("error: a timeout says how long was waited", "[error]") {
  using namespace std::chrono_literals;
  struct row {
    otpp::duration waited;
    const char* text;
  };
  for (const row& one :
       {row{5s, "otpp: call (waited 5 s): "}, row{1500ms, "(waited 1500 ms)"}, row{7us, "(waited 7 us)"},
        row{-1s, "(waited 0 s)"}, row{otpp::infinite, "otpp: call: no answer"}}) {
    try {
      std::rethrow_exception(
          otpp::detail::make_error(otpp::errc::timeout, "call", {}, {}, otpp::exit_reason(), one.waited));
    } catch (const otpp::error& made) {
      CHECK(std::string(made.what()).find(one.text) != std::string::npos);
    }
  }
}
