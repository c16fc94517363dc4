// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <string>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A wait for a name to be registered.
class name_waiter {
 public:
  // The name has been registered. Not called under a lock; ends the registry's ownership of the waiter.
  virtual void name_found(intrusive_ptr<server_core> server) noexcept = 0;
  // The registry has been destroyed.
  virtual void name_lost() noexcept = 0;
  // Returns true if the wait is over.
  virtual bool is_over() const noexcept = 0;

  std::string name;
  name_waiter* next = nullptr; // set by the registry

 protected:
  ~name_waiter() = default;
};

} // namespace otpp::detail

#pragma GCC visibility pop
