// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/pid.hpp>
#include <otpp/registry.hpp>

#include <asio/any_io_executor.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace otpp {

/// How a server is started: its name, where it runs, how much its mailbox holds.
///
/// @par Example
/// @code
/// auto server = co_await otpp::start<counter>(otpp::named("counter").mailbox_limit(1000), 0);
/// @endcode
class options {
 public:
  options() {}

  /// Registers the server under this name before `init` runs, and frees it when it has ended.
  options& name(std::string text) & { name_ = std::move(text); return *this; }
  options name(std::string text) && { return std::move(name(std::move(text))); }

  /// Runs the server on this executor, instead of that of whoever starts it.
  options& on(asio::any_io_executor executor) & { executor_ = std::move(executor); return *this; }
  options on(asio::any_io_executor executor) && { return std::move(on(std::move(executor))); }

  /// How many messages the mailbox holds; zero, the default, means any number. Library messages do not
  /// count.
  options& mailbox_limit(std::size_t messages) & { limit_ = messages; return *this; }
  options mailbox_limit(std::size_t messages) && { return std::move(mailbox_limit(messages)); }

  /// Registers the name here, instead of in the global registry. It must outlive the start.
  options& in(registry& names) & { registry_ = &names; return *this; }
  options in(registry& names) && { return std::move(in(names)); }

  // By start_link.
  options link_to(pid parent) && { parent_ = std::move(parent); return std::move(*this); }
  const pid& linked_to() const noexcept { return parent_; }

  const std::optional<std::string>& name() const noexcept { return name_; }
  const asio::any_io_executor& executor() const noexcept { return executor_; }
  std::size_t mailbox_limit() const noexcept { return limit_; }
  registry& names() const noexcept { return registry_ ? *registry_ : registry::global(); }

 private:
  std::optional<std::string> name_;
  asio::any_io_executor executor_;
  std::size_t limit_ = 0;
  registry* registry_ = nullptr;
  pid parent_;
};

/// Returns options with a name. `start` with it is OTP's `start({local, Name}, ...)`.
inline options named(std::string name) { return options().name(std::move(name)); }

} // namespace otpp
