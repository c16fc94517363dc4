// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/server/relation_end.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/exit_reason.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace otpp::detail {

// What relation_ends two processes together: a monitor or a link. Each of the two lists an end of it until it ends, and
// holds a reference.
//
//   new -> tied -> told   the one that ended first takes the other end back, and the other is told
//               -> cut    nobody will be told, and what is on its way is void
//   told -> cut           the same, for what is on its way
class relation : public counted<relation> {
 public:
  using core_ptr = intrusive_ptr<server_core>;

  virtual ~relation() = default;

  // Both list it from here on. False if one has ended already; then nothing is listed.
  bool connect() noexcept {
    if (!list(first_)) {
      return false;
    }
    if (!list(second_)) {
      unlist(first_);
      return false;
    }
    return true;
  }

  // Unties the two. Returns true if neither had ended.
  bool cut() noexcept {
    bool was_tied = state_.exchange(state::cut, std::memory_order_acq_rel) == state::tied;
    unlist(first_);
    unlist(second_);
    return was_tied;
  }

  bool is_cut() const noexcept { return state_.load(std::memory_order_acquire) == state::cut; }

  const core_ptr& first() const noexcept { return first_.who; }
  const core_ptr& second() const noexcept { return second_.who; }

 protected:
  relation(core_ptr first, core_ptr second, bool is_link) noexcept
      : first_(*this, std::move(first)), second_(*this, std::move(second)), is_link_(is_link) {}

  // `who`, one of the two, has ended. Called at most once, in no lock.
  virtual void told(const server_core& who, const exit_reason& reason) noexcept = 0;

 private:
  enum class state : std::uint8_t { tied, told, cut };

  struct end final : relation_end {
    end(relation& b, core_ptr w) noexcept : whole(b), who(std::move(w)) {}

    void ended(const exit_reason& reason) noexcept override {
      auto keep = intrusive_ptr<relation>::adopt(&whole); // the list's
      state was = state::tied;
      if (whole.state_.compare_exchange_strong(
              was, state::told, std::memory_order_acq_rel, std::memory_order_acquire)) {
        whole.told(*who, reason);
      }
      // Afterwards: until the signal is where the other can find it, the other finds the relation.
      whole.unlist(this == &whole.first_ ? whole.second_ : whole.first_);
    }
    std::uint64_t linked_to() const noexcept override {
      const end& other = this == &whole.first_ ? whole.second_ : whole.first_;
      return whole.is_link_ ? other.who->id() : 0;
    }

    relation& whole;
    core_ptr who;
  };

  bool list(end& one) noexcept {
    add_ref();
    if (one.who->add_relation_end(one)) {
      return true;
    }
    release(); // whoever relation_ends holds one
    return false;
  }

  void unlist(end& one) noexcept {
    if (one.who->remove_relation_end(one)) {
      release();
    }
  }

  friend relation& relation_of(relation_end& link) noexcept;

  end first_;
  end second_;
  std::atomic<state> state_{state::tied};
  const bool is_link_;
};

// Returns the relation of which a process that is linked lists an end.
inline relation& relation_of(relation_end& link) noexcept { return static_cast<relation::end&>(link).whole; }

} // namespace otpp::detail
