// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/exit_reason.hpp>

#include <cstdint>
#include <utility>

namespace otpp::detail {

class envelope;
class server_core;

// One end of what relation_ends two processes together, a monitor or a link. The process lists it until it ends.
class relation_end {
 public:
  relation_end(const relation_end&) = delete;
  relation_end& operator=(const relation_end&) = delete;

  // The process that listed it has ended, and lists it no more. Called once, in no lock.
  virtual void ended(const exit_reason& reason) noexcept = 0;

  // Returns the id of the process at the other end, if the two are linked; else zero.
  virtual std::uint64_t linked_to() const noexcept { return 0; }

 protected:
  relation_end() = default;
  virtual ~relation_end() = default;

 private:
  friend class server_core;
  relation_end* next_ = nullptr;
  relation_end* before_ = nullptr;
  bool listed_ = false;
};

// An exit signal on its way. A process that does not trap exits ends by it, without `terminate`; to one that
// does it is a message, but for a kill.
//
// It is made before it is needed, so that an end needs no memory. It is a task of the process that it is
// sent to, which wakes that one; a process that is at work sees it before its next message
// (server_core::take_exit).
class pending_exit : public task {
 public:
  explicit pending_exit(exit_reason why) noexcept : reason(std::move(why)) {}

  exit_reason reason;
  bool is_kill = false;

  // Its link is cut: it has no effect any more. By the process that it is sent to.
  void make_void() noexcept { is_void_ = true; }

  // True if it has lost its meaning.
  bool is_void() const noexcept { return is_void_ || link_is_cut(); }

  // Returns who has sent it through a link, or zero.
  virtual std::uint64_t linked_from() const noexcept { return 0; }

  // Turns it into a message for a process that traps exits and has this parent; *this is gone.
  virtual envelope& to_message(std::uint64_t parent) noexcept = 0;

 protected:
  virtual bool link_is_cut() const noexcept { return false; }

 private:
  friend class server_core;
  void run() final; // loop.hpp
  void discard() noexcept final;

  server_core* to_ = nullptr;     // in whose mailbox it is
  pending_exit* older_ = nullptr; // taken before it, by the same
  bool is_void_ = false;
};

} // namespace otpp::detail
