// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/exit_reason.hpp>

#include <memory>
#include <string_view>

namespace otpp::detail {

class server_core;

// The one kind of thing that is in a mailbox: a message, with how it is opened.
//
// It knows by its own type which handler it needs, so that the loop has no switch over message types.
// Whoever takes one out of a mailbox owns it, and ends that by exactly one of `open`, `bounce` and
// `abandon`.
class envelope : public queued {
 public:
  // Finds the handler and runs it; made where both the callbacks and the message type are known.
  using opener = void (*)(server_core&, envelope&);

  explicit envelope(opener how) noexcept : queued(kind::message), open_(how) {}

  void open(server_core& server) { open_(server, *this); }

  // Says how it is opened, where its server was not known before.
  void opens_by(opener how) noexcept { open_ = how; }

  // The server ended: whoever waits is told why.
  virtual void bounce(server_core& server, const exit_reason& reason) noexcept = 0;

  // Its context is going away, or it was never sent: nobody on that context is told.
  virtual void abandon() noexcept = 0;

  // ---- in a mailbox with a limit ----

  // It stands in line for room. Called in the mailbox's lock.
  virtual void put_in_line() noexcept {}

  // It stood in line, and is in the mailbox now. Called in no lock.
  virtual void admitted() noexcept {}

  // Nobody waits for it any more, so that it need not be taken in.
  virtual bool expired() const noexcept { return false; }

  // Who put it in line, to take it back; or null.
  virtual const void* sender() const noexcept { return nullptr; }

  // It is a cast or an info, of whose loss nobody is told.
  virtual bool is_lost_silently() const noexcept { return false; }

  virtual std::string_view message_type() const noexcept { return {}; }
  virtual source_location where() const noexcept { return {}; }

  bool counted = false; // Belongs to the mailbox: it takes one place of the limit.

  // It is about the server rather than for it: it is opened while the server is suspended too, and does not
  // count as a message. Set before it is sent.
  bool is_system = false;

  envelope* next_envelope() const noexcept { return static_cast<envelope*>(next); }

 protected:
  virtual ~envelope() = default;

 private:
  opener open_;
};

// Owns an envelope until it is sent.
struct envelope_abandoner {
  void operator()(envelope* item) const noexcept { item->abandon(); }
};
using envelope_ptr = std::unique_ptr<envelope, envelope_abandoner>;

} // namespace otpp::detail
