// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <string>

namespace otpp::detail {

// One who waits for a name to be registered.
class name_waiter {
 public:
  // The name is there. Called in no lock; ends the registry's claim on the waiter.
  virtual void name_found(intrusive_ptr<server_core> server) noexcept = 0;
  // The registry is gone.
  virtual void name_lost() noexcept = 0;
  // True if it has given up.
  virtual bool has_given_up() const noexcept = 0;

  std::string name;
  name_waiter* next = nullptr; // Belongs to the registry.

 protected:
  ~name_waiter() = default;
};

} // namespace otpp::detail
