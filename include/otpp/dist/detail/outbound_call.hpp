// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/type_name.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/reason_term.hpp>
#include <otpp/dist/remote_reason.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/message.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/print.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/term/value.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A call of ours to a process elsewhere, until it is answered, or cannot be any more.
class outbound_call {
 public:
  explicit outbound_call(std::string to) noexcept : to_(std::move(to)) {}
  outbound_call(const outbound_call&) = delete;
  outbound_call& operator=(const outbound_call&) = delete;
  virtual ~outbound_call() = default;

  virtual bool is_waiting() const noexcept = 0;
  // False if the end of the process is what is waited for.
  virtual bool wants_answer() const noexcept { return true; }
  // The answer, which is a term.
  virtual void answer(term_reader from) noexcept = 0;
  virtual void fail(std::exception_ptr why) noexcept = 0;

  // The process has ended, or there was none; or the node says so because it has lost another's.
  virtual void ended(std::string_view reason_bytes) noexcept {
    try {
      errc code = code_of_reason(reason_bytes);
      exit_reason reason = code == errc::exited ? reason_of(reason_bytes) : exit_reason::normal();
      fail(make_error(code, operation(), message(), to_, reason));
    } catch (...) {
      fail(std::current_exception());
    }
  }

  // The connection is lost, or could not be made: then `why` says more.
  void lost(const std::exception_ptr& why) noexcept {
    fail(why ? why : make_error(errc::no_connection, operation(), message(), to_));
  }

 protected:
  virtual std::string_view operation() const noexcept { return "call"; }
  virtual std::string_view message() const noexcept = 0;

  const std::string& to() const noexcept { return to_; }

  // The answer does not fit: `{error, X}` is the other's own error, and all else a mistake.
  std::exception_ptr misfit(term_reader from) const noexcept {
    try {
      term_reader inside = from;
      std::size_t size = 0;
      term what;
      if (inside.tuple(size) && size == 2 && inside.is_atom("error") && get_term(inside, what)) {
        return std::make_exception_ptr(dist::remote_error(std::move(what)));
      }
      return make_error(
          errc::bad_reply, "call", message(),
          to_ + ", which answered " + term_printer(from.left(), 200).print() + ',');
    } catch (...) {
      return std::current_exception();
    }
  }

 private:
  std::string to_;
};

template <call_message M>
class outbound_call_of final : public outbound_call {
 public:
  using reply = reply_t<M>;

  outbound_call_of(std::string to, caller<reply> from, const M&) noexcept
      : outbound_call(std::move(to)), from_(std::move(from)) {}

  bool is_waiting() const noexcept override { return from_.is_waiting(); }

  void answer(term_reader bytes) noexcept override {
    if constexpr (std::is_void_v<reply>) {
      term_reader inside = bytes;
      std::size_t size = 0;
      if (inside.tuple(size) && size == 2 && inside.is_atom("error")) {
        from_.fail(misfit(bytes));
      } else {
        from_.reply(); // `ok`, or whatever it is
      }
    } else {
      static_assert(check_default<reply>());
      try {
        reply value{};
        term_reader inside = bytes;
        if (get_term(inside, value) && inside.left().empty()) {
          from_.reply(std::move(value));
          return;
        }
      } catch (...) {
        from_.fail(std::current_exception());
        return;
      }
      from_.fail(misfit(bytes));
    }
  }

  void fail(std::exception_ptr why) noexcept override { from_.fail(std::move(why)); }

 private:
  std::string_view message() const noexcept override { return type_name<M>(); }

  caller<reply> from_;
};

// Asks a process elsewhere to end: OTP's gen_server:stop/3.
struct stop_elsewhere {
  exit_reason reason;

  using reply_type = void;
};

class outbound_stop final : public outbound_call {
 public:
  outbound_stop(std::string to, caller<void> from, const exit_reason& reason)
      : outbound_call(std::move(to)), from_(std::move(from)) {
    term_writer wanted;
    put_reason(wanted, reason);
    wanted_ = wanted.take();
  }

  bool is_waiting() const noexcept override { return from_.is_waiting(); }
  bool wants_answer() const noexcept override { return false; }
  void answer(term_reader) noexcept override {}
  void ended(std::string_view reason_bytes) noexcept override {
    if (reason_bytes == wanted_) {
      from_.reply();
    } else {
      outbound_call::ended(reason_bytes);
    }
  }
  void fail(std::exception_ptr why) noexcept override { from_.fail(std::move(why)); }

 private:
  std::string_view operation() const noexcept override { return "stop"; }
  std::string_view message() const noexcept override { return {}; }

  caller<void> from_;
  std::string wanted_; // the reason with which it is to end, as a term
};

} // namespace otpp::detail

#pragma GCC visibility pop
