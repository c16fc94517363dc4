// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/process_elsewhere.hpp>
#include <otpp/dist/detail/reason_term.hpp>
#include <otpp/dist/detail/ref_key.hpp>
#include <otpp/error.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The From of a peer's call: `{Pid, Tag}`. All of it are parts of a frame.
struct inbound_from {
  pid_view process;
  std::string_view tag; // a term
  ref_view ref;         // in the tag, if there is one: also that of the monitor which watches the call
  bool has_ref = false;
  bool is_alias = false;

  // Reads it. A tag may be any term; that of OTP's own calls is `[alias | Ref]`, or a reference.
  bool get(term_reader& from) noexcept {
    std::size_t size = 0;
    if (!from.tuple(size) || size != 2 || !get_pid(from, process)) {
      return false;
    }
    std::size_t place = from.place();
    term_reader inside = from;
    if (!from.skip()) {
      return false;
    }
    tag = from.since(place);
    is_alias = inside.is(term_tag::list) && inside.count(4, 1, size) && size == 1 &&
               inside.is_atom("alias") && get_ref(inside, ref);
    if (!is_alias) {
      inside.back_to(place);
      has_ref = get_ref(inside, ref);
    }
    has_ref = has_ref || is_alias;
    return true;
  }
};

// A peer's call that a server here has not answered yet. It is in the table of the connection until it has been answered, the
// peer has given up, or the connection is lost; what comes later is dropped. Used on the connection's executor.
class inbound_call final : public open_inbound {
 public:
  inbound_call(std::shared_ptr<peer_link> link, const inbound_from& from)
      : link_(std::move(link)),
        has_ref_(from.has_ref),
        is_alias_(from.is_alias),
        size_of_pid_(from.process.bytes.size()),
        size_of_tag_(from.tag.size()) {
    bytes_.reserve(size_of_pid_ + size_of_tag_ + (is_alias_ ? from.ref.bytes.size() : 0));
    bytes_.append(from.process.bytes).append(from.tag);
    if (is_alias_) {
      bytes_.append(from.ref.bytes);
    }
    key_ = has_ref_ ? ref_key(from.ref) : ref_key(link_->next_number());
  }

  const asio::any_io_executor& executor() const noexcept { return link_->executor(); }
  asio::cancellation_slot slot() noexcept { return cancel_.slot(); }
  const ref_key& key() const noexcept { return key_; }
  // Another call has its reference, and what is said of that.
  void use_number() noexcept {
    key_ = ref_key(link_->next_number());
    has_ref_ = false;
  }

  // The peer does not wait any more: what the server finds out by caller::is_waiting().
  void give_up() noexcept override { cancel_.emit(asio::cancellation_type::terminal); }

  // Answers with what `put` writes, which may throw.
  template <class Put>
  void answer(Put put) noexcept {
    if (!link_->end_call(key_, *this)) {
      return;
    }
    try {
      term_writer& to = begin_answer();
      put(to);
      check_size(to);
      send_in_order(*link_, process());
    } catch (...) {
      end_with(std::current_exception());
    }
  }

  // The server has not answered, or with an error.
  void fail(const std::exception_ptr& error) noexcept {
    if (!link_->end_call(key_, *this)) {
      return;
    }
    end_with(error);
  }

 private:
  // Who has asked.
  pid_view process() const noexcept {
    term_reader from(std::string_view(bytes_).substr(0, size_of_pid_));
    pid_view one;
    get_pid(from, one);
    return one;
  }

  // What is too long ends the call, and not the connection.
  void check_size(const term_writer& answer) const {
    std::size_t size = answer.bytes().size();
    if (size > link_->node().how().limits().frame) {
      throw std::length_error(
          "the answer has " + std::to_string(size) + " bytes, more than node_limits::frame");
    }
  }

  term_writer& begin_answer() {
    std::string_view all = bytes_;
    term_writer& to = link_->begin();
    if (is_alias_) {
      begin_control(to, 3, static_cast<std::uint64_t>(control_op::alias_send));
      put_pid(to, link_->self());
      to.raw(all.substr(size_of_pid_ + size_of_tag_));
    } else {
      begin_control(to, 3, static_cast<std::uint64_t>(control_op::send));
      to.atom("");
      to.raw(all.substr(0, size_of_pid_));
    }
    to.tuple(2);
    to.raw(all.substr(size_of_pid_, size_of_tag_));
    return to;
  }

  // What a handler fails with is the answer `{error, Term}`. That no handler has answered ends the caller, as in OTP: the
  // monitor that watches the call says so.
  void end_with(const std::exception_ptr& error) noexcept {
    try {
      exit_reason reason = exit_reason::normal();
      if (!is_answer(error, reason)) {
        peer_tie watching;
        if (has_ref_ && link_->take_monitor(key_, watching)) {
          link_->tell_end(watching, reason);
        }
        return;
      }
      term_writer& to = begin_answer();
      to.tuple(2);
      to.atom("error");
      put_exception(to, error);
      send_in_order(*link_, process());
    } catch (...) {
      link_->fail("out of memory"); // the peer is told by the end of the connection
    }
  }

  static bool is_answer(const std::exception_ptr& error, exit_reason& reason) {
    try {
      std::rethrow_exception(error);
    } catch (const otpp::error& own) {
      switch (static_cast<errc>(own.code().value())) {
        case errc::exited: reason = own.reason(); return false;
        case errc::no_process:
        case errc::no_reply:
        case errc::bad_message:
        case errc::draining:
        case errc::mailbox_full: reason = exit_reason(error); return false;
        default: return true;
      }
    } catch (...) {
      return true;
    }
  }

  std::shared_ptr<peer_link> link_;
  asio::cancellation_signal cancel_;
  ref_key key_;
  bool has_ref_;
  bool is_alias_;
  std::size_t size_of_pid_;
  std::size_t size_of_tag_;
  std::string bytes_; // of the pid, the tag, and the alias
};

} // namespace otpp::detail

#pragma GCC visibility pop
