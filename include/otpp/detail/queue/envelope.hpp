// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/message_tag.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/exit_reason.hpp>

#include <memory>
#include <string_view>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class server_core;

// The one kind of message that a mailbox holds, together with the function that opens it.
//
// The function knows which handler the message needs, so the loop has no switch over message types. The code
// that takes an envelope out of a mailbox owns it, and ends that ownership by exactly one of `open`,
// `fail_unhandled` and `discard_message`.
class envelope : public queued {
 public:
  // Finds the handler and runs it; instantiated where both the callbacks and the message type are known.
  using opener = void (*)(server_core&, envelope&);

  explicit envelope(opener how) noexcept : queued(kind::message), open_(how) {}

  void open(server_core& server) { open_(server, *this); }

  // Sets how it is opened, if its server was not known at first.
  void opens_by(opener how) noexcept { open_ = how; }

  // The server has ended: fails the operation that waits with the reason.
  virtual void fail_unhandled(server_core& server, const exit_reason& reason) noexcept = 0;

  // It was in a mailbox, and must make room for another: tells the operation that waits.
  virtual void make_room() noexcept { discard_message(); }

  // Destroys it without reporting to its own context: the context is being destroyed, or it was never sent.
  virtual void discard_message() noexcept = 0;

  // ---- in a mailbox with a limit ----

  // It is to wait for room. Called under the mailbox's lock. Returns false if it must not.
  virtual bool put_in_line() noexcept { return true; }

  // It waited for room, and is in the mailbox now. Not called under a lock.
  virtual void admitted() noexcept {}

  // Returns true if the sender no longer waits, so that it need not be admitted.
  virtual bool expired() const noexcept { return false; }

  // Returns the sender that may withdraw it while it waits for room; or null.
  virtual const void* sender() const noexcept { return nullptr; }

  // Returns true for a cast or an info, whose loss is not reported.
  virtual bool is_lost_silently() const noexcept { return false; }
  bool is_dropped_silently() const noexcept { return !is_of_library && is_lost_silently(); }

  // Of the library's news of an end or a change: its type, and whether it counts as never sent, because its monitor or
  // link has been removed. Null for all else.
  virtual const std::type_info* news() const noexcept { return nullptr; }
  virtual bool is_void() const noexcept { return false; }

  virtual std::string_view message_type() const noexcept { return {}; }
  virtual const std::type_info* message_info() const noexcept { return nullptr; } // null: it has none
  virtual source_location where() const noexcept { return {}; }

  bool is_of_library = false; // set by the mailbox: nobody has sent it as a cast or an info
  bool counted = false;       // set by the mailbox: it takes one place of the limit
  bool needs_no_room = false; // set by the mailbox: it stands in line only to keep the order

  // It is addressed to the library rather than to the callbacks: it is opened even while the server is
  // suspended, and does not count as a message. Set before it is sent.
  bool is_system = false;

  // It ends the server before what was sent earlier (relations::hurry). Set before it is sent.
  bool is_ahead = false;

  // Set before it is sent, while somebody traces every process.
  bool has_tag() const noexcept { return tag_ != nullptr; }
  void set_tag(std::unique_ptr<message_tag> one) noexcept { delete std::exchange(tag_, one.release()); }
  std::unique_ptr<message_tag> take_tag() noexcept {
    return std::unique_ptr<message_tag>(std::exchange(tag_, nullptr));
  }

  envelope* next_envelope() const noexcept { return static_cast<envelope*>(next); }

 protected:
  virtual ~envelope() {
    if (tag_) [[unlikely]] {
      drop_tag();
    }
  }

 private:
  OTPP_NOINLINE void drop_tag() noexcept { delete tag_; }

  opener open_;
  message_tag* tag_ = nullptr;
};

// Owns an envelope until it is sent.
struct envelope_discarder {
  void operator()(envelope* item) const noexcept { item->discard_message(); }
};
using envelope_ptr = std::unique_ptr<envelope, envelope_discarder>;

} // namespace otpp::detail

#pragma GCC visibility pop
