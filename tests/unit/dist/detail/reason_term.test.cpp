// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/reason_term.hpp>

#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/term.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

using otpp::errc;
using otpp::exit_reason;
using otpp::dist::remote_error;
using otpp::dist::remote_reason;

namespace {
namespace reasons {

std::string bytes_of_reason(const exit_reason& reason) {
  otpp::detail::term_writer to;
  otpp::detail::put_reason(to, reason);
  return to.take();
}

// As Erlang prints it.
std::string printed(const exit_reason& reason) {
  std::string bytes = bytes_of_reason(reason);
  return otpp::to_string(otpp::from_bytes<otpp::term>(bytes_of(131, bytes)));
}

exit_reason back(const exit_reason& reason) { return otpp::detail::reason_of(bytes_of_reason(reason)); }

std::string term_of(const exit_reason& reason) {
  try {
    std::rethrow_exception(reason.exception());
  } catch (const remote_reason& own) {
    return otpp::to_string(own.term());
  }
}

struct nameless {}; // what nobody should throw

struct speechless : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

} // namespace reasons
} // namespace

TEST_CASE("reason_term: the named reasons are OTP's atoms, and come back as themselves", "[dist]") {
  CHECK(reasons::printed(exit_reason::normal()) == "normal");
  CHECK(reasons::printed(exit_reason::shutdown()) == "shutdown");
  CHECK(reasons::printed(exit_reason::killed()) == "killed");
  CHECK(reasons::back(exit_reason::normal()) == exit_reason::normal());
  CHECK(reasons::back(exit_reason::shutdown()) == exit_reason::shutdown());
  CHECK(reasons::back(exit_reason::killed()) == exit_reason::killed());
}

TEST_CASE("reason_term: exceptions are terms", "[dist]") {
  CHECK(reasons::printed(exit_reason(std::runtime_error("boom"))) == "{exception,<<\"boom\">>}");
  CHECK(reasons::printed(exit_reason("in words")) == "{exception,<<\"in words\">>}");
  CHECK(
      reasons::printed(exit_reason(remote_reason(std::pair(otpp::atom("disk_full"), 7)))) == "{disk_full,7}");
  CHECK(reasons::printed(exit_reason(remote_error(otpp::atom("not_found")))) == "not_found");
  CHECK(reasons::printed(exit_reason(otpp::error(errc::max_children))) == "max_children");
  CHECK(
      reasons::printed(exit_reason(std::make_exception_ptr(reasons::nameless()))) ==
      "{exception,<<\"an exception of an unknown type\">>}");
  CHECK(
      reasons::printed(exit_reason(reasons::speechless())) ==
      "{exception,<<\"an exception without a text\">>}");
  std::system_error outside(std::make_error_code(std::errc::no_space_on_device), "disk");
  CHECK(reasons::printed(exit_reason(outside)).starts_with("{exception,<<\"disk"));
}

TEST_CASE("reason_term: a shutdown with a detail is OTP's pair", "[dist]") {
  CHECK(
      reasons::printed(exit_reason::shutdown("for the night")) ==
      "{shutdown,{exception,<<\"for the night\">>}}");
  CHECK(reasons::printed(exit_reason::shutdown(remote_reason(otpp::atom("night")))) == "{shutdown,night}");
  CHECK(
      reasons::term_of(reasons::back(exit_reason::shutdown(remote_reason(otpp::atom("night"))))) == "night");
  CHECK(reasons::back(exit_reason::shutdown(remote_reason(otpp::atom("night")))).is_shutdown());
  exit_reason three = otpp::detail::reason_of(bytes_of(104, 3, 119, 8, "shutdown", 97, 1, 97, 2));
  CHECK_FALSE(three.is_shutdown());
  CHECK(reasons::term_of(three) == "{shutdown,1,2}");
}

TEST_CASE("reason_term: each error has an atom of its own", "[dist]") {
  CHECK(otpp::detail::atom_of(errc::no_process) == "noproc");
  CHECK(otpp::detail::atom_of(errc::no_connection) == "noconnection");
  for (int n = static_cast<int>(errc::no_process); n <= static_cast<int>(errc::draining); ++n) {
    CHECK(otpp::detail::atom_of(errc{n}) != "unknown_error");
    for (int m = 1; m < n; ++m) {
      CHECK(otpp::detail::atom_of(errc{n}) != otpp::detail::atom_of(errc{m}));
    }
  }
  CHECK(otpp::detail::atom_of(errc{1000}) == "unknown_error");
}

TEST_CASE("reason_term: any other term is kept as it is", "[dist]") {
  CHECK(reasons::term_of(otpp::detail::reason_of(bytes_of(119, 4, "boom"))) == "boom");
  CHECK(reasons::term_of(otpp::detail::reason_of(bytes_of(104, 2, 119, 4, "boom", 97, 1))) == "{boom,1}");
  CHECK(reasons::term_of(otpp::detail::reason_of(bytes_of(109, 0, 0, 0, 6, "normal"))) == "<<\"normal\">>");
  // An atom in Latin-1, as older nodes write it.
  CHECK(otpp::detail::reason_of(bytes_of(100, 0, 6, "normal")) == exit_reason::normal());
  // One with letters that the library does not know is no reason to forget it.
  CHECK_FALSE(otpp::detail::reason_of(bytes_of(115, 1, 0xE9)).is_clean());
  // A long one: its text is cut, the term is whole.
  std::string text(300'000, 'x');
  exit_reason lengthy = otpp::detail::reason_of(bytes_of(109, 0, 4, 0x93, 0xE0, text));
  CHECK(lengthy.message().size() < 300);
  CHECK(reasons::bytes_of_reason(lengthy) == bytes_of(109, 0, 4, 0x93, 0xE0, text));
}

TEST_CASE("reason_term: a term that goes out and comes back is the same", "[dist]") {
  for (const exit_reason& each :
       {exit_reason(std::runtime_error("boom")), exit_reason::shutdown("later"),
        exit_reason(otpp::error(errc::max_children))}) {
    std::string bytes = reasons::bytes_of_reason(each);
    CHECK(reasons::bytes_of_reason(otpp::detail::reason_of(bytes)) == bytes);
  }
}

TEST_CASE("reason_term: reasons that end a call with an error of its own", "[dist]") {
  for (errc code :
       {errc::no_process, errc::no_connection, errc::bad_message, errc::mailbox_full, errc::draining,
        errc::no_reply}) {
    CHECK(otpp::detail::code_of_reason(reasons::bytes_of_reason(exit_reason(otpp::error(code)))) == code);
  }
  CHECK(otpp::detail::code_of_reason(bytes_of(119, 6, "normal")) == errc::exited);
  CHECK(otpp::detail::code_of_reason(bytes_of(119, 7, "timeout")) == errc::exited); // the server's own
  CHECK(otpp::detail::code_of_reason(bytes_of(104, 1, 119, 6, "noproc")) == errc::exited);
  CHECK(otpp::detail::code_of_reason("") == errc::exited);
}

TEST_CASE("reason_term: why a process elsewhere has ended, for its monitors", "[dist]") {
  auto code_of_end = [](std::string_view bytes) {
    exit_reason why = otpp::detail::reason_of_end(bytes, "<a@b.1.0/7>");
    try {
      std::rethrow_exception(why.exception());
    } catch (const otpp::error& error) {
      CHECK(std::string(error.what()).find("<a@b.1.0/7>") != std::string::npos);
      return error.code();
    }
  };
  CHECK(code_of_end(bytes_of(119, 6, "noproc")) == errc::no_process);
  CHECK(code_of_end(bytes_of(119, 12, "noconnection")) == errc::no_connection);
  CHECK(otpp::detail::reason_of_end(bytes_of(119, 6, "normal"), "x") == exit_reason::normal());
  CHECK(reasons::term_of(otpp::detail::reason_of_end(bytes_of(119, 8, "no_reply"), "x")) == "no_reply");
}
