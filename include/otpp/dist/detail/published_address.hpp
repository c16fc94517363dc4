// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_name.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/registry/registry.hpp>

#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What is kept of a published address, which may be a view.
template <class Address>
class published_address {
 public:
  explicit published_address(Address to) : to_(std::move(to)) {}
  pid operator()() const { return pid(access::make<pid>(resolve(Address(to_), purpose()).server)); }

 private:
  Address to_;
};
template <class Callbacks>
class published_address<server_name<Callbacks>> {
 public:
  explicit published_address(const server_name<Callbacks>& to) : name_(to.name()), names_(to.in()) {}
  // Nobody, if another class of servers has the name.
  pid operator()() const {
    pid found = (names_ ? *names_ : registry::global()).find(name_);
    return found && has_callbacks<Callbacks>(*access::core(found)) ? found : pid();
  }

 private:
  std::string name_;
  registry* names_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
