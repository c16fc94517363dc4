// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/registry/detail/name_table.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

/// Names of servers. The verbs use the global registry by default; tests and components may have their own.
///
/// It keeps no server alive. A name is any text of 1 to 255 bytes.
///
/// @par Thread safety
/// Shared objects: safe.
///
/// @par Lifetime
/// May be destroyed before or after the servers in it and their contexts.
class registry {
 public:
  static constexpr std::size_t longest_name = 255; ///< How many bytes a name may have.

  registry() : table_(std::make_shared<detail::name_table>()) {}
  registry(const registry&) = delete;
  registry& operator=(const registry&) = delete;
  ~registry() {
    while (detail::name_waiter* one = table_->take_waiter([](const auto&) { return true; })) {
      one->name_lost();
    }
  }

  /// Returns the default registry. It is never destroyed, so that static objects may use it.
  static registry& global() {
    static auto* instance = new registry;
    return *instance;
  }

  /// Returns the process that has a name, or nobody. O(1).
  ///
  /// @param name  Any text; one that can be no name has no process.
  pid find(std::string_view name) const {
    std::shared_lock lock(table_->mutex);
    auto found = table_->names.find(name);
    return found == table_->names.end() ? pid() : detail::access::make<pid>(found->second);
  }

  /// Gives a process a name.
  ///
  /// @param name  1 to 255 bytes, copied; throws std::invalid_argument for another one, and
  ///              `errc::name_taken` if a process has it.
  /// @param who   The process, which may have other names; throws `errc::no_process` if it has ended or is
  ///              nobody.
  void add(std::string_view name, const pid& who) {
    if (!who) {
      std::rethrow_exception(detail::make_error(errc::no_process, "registering", {}, "nobody"));
    }
    add(name, *detail::access::core(who));
  }

  /// Removes a name, whoever has it. Returns false if no process has it.
  ///
  /// @param name  The name, which is free at once; its process lives on.
  bool remove(std::string_view name) {
    detail::intrusive_ptr<detail::server_core> server;
    {
      std::lock_guard lock(table_->mutex);
      auto found = table_->names.find(name);
      if (found == table_->names.end()) {
        return false;
      }
      server = std::move(found->second);
      table_->names.erase(found);
    }
    auto ended = server->release_name([&](const detail::name_registration& one) {
      const auto* ours = dynamic_cast<const held*>(&one);
      return ours && ours->names == table_ && ours->name == name;
    });
    if (ended) {
      static_cast<held&>(*ended).server = nullptr; // already removed from the table
    }
    return true;
  }

  /// Returns all names, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    {
      std::shared_lock lock(table_->mutex);
      for (const auto& [name, server] : table_->names) {
        result.push_back(name);
      }
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  /// Throws std::invalid_argument if a text can be no name.
  ///
  /// @param name  A text of 1 to 255 bytes is valid.
  static void check_name(std::string_view name) {
    if (name.empty() || name.size() > longest_name) {
      throw std::invalid_argument(
          "otpp: a name has 1 to 255 bytes; this one has " + std::to_string(name.size()));
    }
  }

 private:
  friend struct detail::access;

  void add(std::string_view name, detail::server_core& server) {
    check_name(name);
    auto mine = std::make_unique<held>(table_, std::string(name));
    held* const kept = mine.get();
    std::unique_ptr<detail::name_registration> holding = std::move(mine);
    {
      std::lock_guard lock(table_->mutex);
      auto [at, added] =
          table_->names.try_emplace(std::string(name), detail::intrusive_ptr<detail::server_core>(&server));
      if (!added) {
        std::rethrow_exception(
            detail::make_error(errc::name_taken, "registering", {}, '"' + std::string(name) + '"'));
      }
      kept->server = &server;
      if (!server.hold_name(holding)) {
        kept->server = nullptr;
        table_->names.erase(at); // not the last reference: the caller holds one
        std::rethrow_exception(
            detail::make_error(errc::no_process, "registering", {}, '"' + std::string(name) + '"'));
      }
    }
    // The server may have ended meanwhile. Who waits then, and may have begun after that, waits for the next one.
    auto is_for_it = [&](const detail::name_waiter& one) {
      auto found = one.name == name ? table_->names.find(name) : table_->names.end();
      return found != table_->names.end() && found->second.get() == &server;
    };
    while (detail::name_waiter* one = table_->take_waiter(is_for_it)) {
      one->name_found(detail::intrusive_ptr<detail::server_core>(&server));
    }
  }

  // A server's registration of its name, which the server destroys when it ends.
  struct held final : detail::name_registration {
    held(std::shared_ptr<detail::name_table> in, std::string text)
        : names(std::move(in)), name(std::move(text)) {}

    ~held() override {
      if (!server) {
        return;
      }
      detail::intrusive_ptr<detail::server_core> last; // released after the lock
      std::lock_guard lock(names->mutex);
      auto found = names->names.find(name);
      if (found != names->names.end() && found->second.get() == server) {
        last = std::move(found->second);
        names->names.erase(found);
      }
    }

    std::string_view text() const noexcept override { return name; }

    std::shared_ptr<detail::name_table> names;
    std::string name;
    detail::server_core* server = nullptr;
  };

  std::shared_ptr<detail::name_table> table_;
};

/// Returns the server that has a name; empty if there is none. OTP's `whereis/1`.
///
/// Throws `errc::bad_message` if the name belongs to a server with other callbacks.
///
/// @param name  The name to look up.
/// @param in    The registry in which to look.
template <class Callbacks>
std::optional<server_ref<Callbacks>> whereis(std::string_view name, const registry& in = registry::global()) {
  detail::intrusive_ptr<detail::server_core> server = detail::access::core(in.find(name));
  if (!server) {
    return std::nullopt;
  }
  if (!detail::has_callbacks<Callbacks>(*server)) {
    std::rethrow_exception(detail::make_error(
        errc::bad_message, "whereis", {},
        server->describe() + ", whose callbacks are " + std::string(server->type_name())));
  }
  return detail::access::make<server_ref<Callbacks>>(std::move(server));
}

/// Gives a running server another name, until it ends or the name is removed. OTP's `register/2`.
///
/// @param name    1 to 255 bytes, copied; throws std::invalid_argument for another one, and
///                `errc::name_taken` if a process has it.
/// @param server  The server; throws `errc::no_process` if it has ended or is nobody.
/// @param in      The registry that gets the name.
template <class Callbacks>
void register_name(
    std::string_view name, const server_ref<Callbacks>& server, registry& in = registry::global()) {
  in.add(name, pid(server));
}

/// Removes a name, whoever has it. Returns false if no process has it. OTP's `unregister/1`.
///
/// @param name  The name, which is free at once; its process lives on.
/// @param in    The registry that has it.
inline bool unregister_name(std::string_view name, registry& in = registry::global()) {
  return in.remove(name);
}

/// Returns all registered names, sorted. OTP's `registered/0`.
///
/// @param in  The registry whose names are meant.
inline std::vector<std::string> registered(const registry& in = registry::global()) { return in.names(); }

} // namespace otpp

#pragma GCC visibility pop
