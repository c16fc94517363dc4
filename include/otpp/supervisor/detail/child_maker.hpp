// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/start_request.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start_link.hpp>
#include <otpp/process/spawn.hpp>

#include <asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Starts a child, without its types: this is the only part that is compiled for each type of child.
class child_maker {
 public:
  child_maker() = default;
  child_maker(const child_maker&) = delete;
  child_maker& operator=(const child_maker&) = delete;
  virtual ~child_maker() = default;

  // Starts one, linked with the process that awaits this. *this must outlive the start.
  virtual asio::awaitable<pid> start(options how) const = 0;

  virtual std::string_view type_name() const noexcept = 0;
  virtual bool works_once() const noexcept { return false; }
  virtual bool is_supervisor() const noexcept { return false; }
};

// A callbacks class may declare that its servers are supervisors.
template <class Callbacks>
inline constexpr bool is_supervising = requires { typename Callbacks::supervises; };

template <class Callbacks, class... Args>
class server_maker final : public child_maker {
 public:
  template <class... From>
  explicit server_maker(std::in_place_t, From&&... args) : args_(std::forward<From>(args)...) {}

  asio::awaitable<pid> start(options how) const override {
    asio::awaitable<server_ref<Callbacks>> starting = std::apply(
        [&how](const Args&... args) { return otpp::start_link<Callbacks>(std::move(how), Args(args)...); },
        args_);
    server_ref<Callbacks> server = co_await std::move(starting);
    co_return pid(std::move(server));
  }
  std::string_view type_name() const noexcept override { return detail::type_name<Callbacks>(); }
  bool is_supervisor() const noexcept override { return is_supervising<Callbacks>; }

 private:
  std::tuple<Args...> args_;
};

// Moves its arguments into the start, so that they need not be copyable.
template <class Callbacks, class... Args>
class once_maker final : public child_maker {
 public:
  template <class... From>
  explicit once_maker(std::in_place_t, From&&... args) : args_(std::in_place, std::forward<From>(args)...) {}

  asio::awaitable<pid> start(options how) const override {
    if (!args_) {
      throw std::logic_error("otpp: a temporary_child is started once");
    }
    std::tuple<Args...> args = std::move(*args_);
    args_.reset();
    asio::awaitable<server_ref<Callbacks>> starting = std::apply(
        [&how](Args&... each) { return otpp::start_link<Callbacks>(std::move(how), std::move(each)...); },
        args);
    server_ref<Callbacks> server = co_await std::move(starting);
    co_return pid(std::move(server));
  }
  std::string_view type_name() const noexcept override { return detail::type_name<Callbacks>(); }
  bool works_once() const noexcept override { return true; }
  bool is_supervisor() const noexcept override { return is_supervising<Callbacks>; }

 private:
  mutable std::optional<std::tuple<Args...>> args_; // accessed only by the supervisor that starts it
};

template <class Factory>
class coroutine_maker final : public child_maker {
 public:
  explicit coroutine_maker(Factory factory) : factory_(std::make_shared<Factory>(std::move(factory))) {}

  asio::awaitable<pid> start(options how) const override {
    shared function(factory_);
    asio::awaitable<server_ref<spawned>> starting = otpp::spawn_link(std::move(how), function);
    server_ref<spawned> process = co_await std::move(starting);
    co_return pid(std::move(process));
  }
  std::string_view type_name() const noexcept override { return "coroutine"; }

 private:
  // Its coroutine may outlive this: that of a temporary child does, and one that a dead supervisor has left.
  class shared {
   public:
    explicit shared(std::shared_ptr<Factory> factory) noexcept : factory_(std::move(factory)) {}
    asio::awaitable<void> operator()() const { return (*factory_)(); }

   private:
    std::shared_ptr<Factory> factory_;
  };

  std::shared_ptr<Factory> factory_; // one for all starts
};

template <class Callbacks, class... Args>
consteval bool check_child() {
  constexpr bool fits = inits<Callbacks>::template with<Args...>::value;
  static_assert(check_callbacks<Callbacks>());
  static_assert(fits, "otpp: init does not take these arguments; child passes what it gets on to init");
  static_assert(check_init_arguments<Callbacks, Args...>());
  return fits;
}

} // namespace otpp::detail

#pragma GCC visibility pop
