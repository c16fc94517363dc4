// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

struct name_table;

// A wait for a name to be registered. From the beginning of the wait on one of three has the right to end it, and
// whoever takes it off the table's list gets that right: who registers the name, who destroys the registry, or the
// waiter itself, whose time is over.
class name_waiter {
 public:
  name_waiter(std::string wanted, std::shared_ptr<name_table> in) noexcept
      : name(std::move(wanted)), table_(std::move(in)) {}
  name_waiter(const name_waiter&) = delete;
  name_waiter& operator=(const name_waiter&) = delete;

  // The name has been registered. Not called under a lock; may destroy the waiter.
  virtual void name_found(intrusive_ptr<server_core> server) noexcept = 0;
  // The registry has been destroyed, or the wait was over before it began.
  virtual void name_lost() noexcept = 0;
  // Returns true if the wait is over.
  virtual bool is_over() const noexcept = 0;

  // Completes when the name is registered, which may be now. The waiter may be destroyed when this returns.
  void begin() noexcept;
  // Returns true if nobody will call this waiter any more.
  bool take_back() noexcept;

  const std::string name;

 protected:
  virtual ~name_waiter() = default; // virtual, because g++ counts what a friend may destroy as accessible

 private:
  friend intrusive_list<name_waiter>;
  const std::shared_ptr<name_table> table_;
  list_hook<name_waiter> hook_; // under the table's lock
};

// The names of a registry. Servers and waiters keep it after the registry has been destroyed.
struct name_table {
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };

  // Takes off a waiter for which `wanted` returns true; returns null if there is none.
  template <class Wanted>
  name_waiter* take_waiter(Wanted wanted) noexcept {
    std::lock_guard lock(mutex);
    name_waiter* one = waiting.find(wanted);
    if (one) {
      waiting.erase(*one);
    }
    return one;
  }

  mutable std::shared_mutex mutex;
  std::unordered_map<std::string, intrusive_ptr<server_core>, hash, std::equal_to<>> names;
  intrusive_list<name_waiter> waiting;
};

inline void name_waiter::begin() noexcept {
  intrusive_ptr<server_core> server;
  {
    std::lock_guard lock(table_->mutex);
    auto found = table_->names.find(name);
    if (found != table_->names.end()) {
      server = found->second;
    } else if (!is_over()) {
      table_->waiting.push_back(*this);
      return;
    }
  }
  if (server) {
    name_found(std::move(server));
  } else {
    name_lost();
  }
}

inline bool name_waiter::take_back() noexcept {
  std::lock_guard lock(table_->mutex);
  return table_->waiting.erase_if_linked(*this);
}

} // namespace otpp::detail

#pragma GCC visibility pop
