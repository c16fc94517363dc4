// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/remote_reason.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/term/limits.hpp>
#include <otpp/term/value.hpp>

#include <cstddef>
#include <exception>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The atom of an error's code.
constexpr std::string_view atom_of(errc code) noexcept {
  switch (code) {
    case errc::no_process: return "noproc";
    case errc::exited: return "exited";
    case errc::timeout: return "timeout";
    case errc::no_reply: return "no_reply";
    case errc::calling_self: return "calling_self";
    case errc::bad_message: return "bad_message";
    case errc::name_taken: return "name_taken";
    case errc::ignored: return "ignored";
    case errc::mailbox_full: return "mailbox_full";
    case errc::deadlock: return "deadlock";
    case errc::already_started: return "already_started";
    case errc::already_present: return "already_present";
    case errc::not_found: return "not_found";
    case errc::running: return "running";
    case errc::max_children: return "max_children";
    case errc::no_connection: return "noconnection";
    case errc::bad_reply: return "bad_reply";
    case errc::draining: return "draining";
  }
  return "unknown_error";
}

// What an exception is for other nodes: its own term, or that which its text makes.
inline void put_exception(term_writer& to, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const dist::remote_reason& own) {
    to.raw(own.term().bytes());
  } catch (const dist::remote_error& own) {
    to.raw(own.term().bytes());
  } catch (const otpp::error& own) {
    to.atom(atom_of(static_cast<errc>(own.code().value())));
  } catch (const std::exception& other) {
    to.tuple(2);
    to.atom("exception");
    to.binary(what_of(other));
  } catch (...) {
    to.tuple(2);
    to.atom("exception");
    to.binary("an exception of an unknown type");
  }
}

// Why a process has ended, as other nodes get it.
inline void put_reason(term_writer& to, const exit_reason& reason) {
  std::exception_ptr exception = reason.exception();
  if (reason.is_shutdown() && exception) {
    to.tuple(2);
    to.atom("shutdown");
    put_exception(to, exception);
  } else if (reason.is_shutdown()) {
    to.atom("shutdown");
  } else if (exception) {
    put_exception(to, exception);
  } else {
    to.atom(reason.is_clean() ? "normal" : "killed");
  }
}

// As a term that nobody reads.
inline dist::remote_reason whole_reason(std::string_view term_bytes) {
  term whole;
  term_reader from(term_bytes, term_limits{.depth = 64, .memory = term_bytes.size()});
  get_term(from, whole);
  return dist::remote_reason(std::move(whole));
}

// A reason that another node gives. Precondition: it is a term.
inline exit_reason reason_of(std::string_view term_bytes) {
  std::string_view text;
  term_reader from(term_bytes);
  if (get_atom_text(from, text)) {
    if (text == "normal") {
      return exit_reason::normal();
    }
    if (text == "shutdown") {
      return exit_reason::shutdown();
    }
    if (text == "killed") {
      return exit_reason::killed();
    }
  }
  std::size_t size = 0;
  if (term_reader inside(term_bytes); inside.tuple(size) && size == 2 && inside.is_atom("shutdown")) {
    return exit_reason::shutdown(whole_reason(inside.left()));
  }
  return whole_reason(term_bytes);
}

// Reasons that stand for errors of a call's own: OTP's, and those with which a node of otpp ends a call. Others are errc::exited.
inline errc code_of_reason(std::string_view term_bytes) noexcept {
  term_reader from(term_bytes);
  std::string_view text;
  if (get_atom_text(from, text)) {
    for (errc code :
         {errc::no_process, errc::no_connection, errc::bad_message, errc::mailbox_full, errc::draining,
          errc::no_reply}) {
      if (text == atom_of(code)) {
        return code;
      }
    }
  }
  return errc::exited;
}

// Why a process elsewhere has ended, for those that monitor it here.
inline exit_reason reason_of_end(std::string_view term_bytes, std::string_view whose) {
  errc code = code_of_reason(term_bytes);
  if (code == errc::no_process || code == errc::no_connection) {
    return make_error(code, "monitor", {}, whose);
  }
  return reason_of(term_bytes);
}

} // namespace otpp::detail

#pragma GCC visibility pop
