// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/registry/detail/membership.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

/// A registry in which a key may have many servers, and a server many keys: for publish and subscribe within
/// one component. Elixir's `Registry` with `keys: :duplicate`.
///
/// It keeps no server alive; a server's entries are removed when it ends, before the end is reported. A key
/// may be any text. `otpp::pg` is the same with monitors, and has a global instance.
///
/// @par Errors
/// - `errc::no_process`, from `add`: the server has ended.
/// - `errc::bad_message`, from the functions with `Callbacks`: a server of that key has other callbacks.
///
/// @par Thread safety
/// Shared objects: safe.
///
/// @par Lifetime
/// May be destroyed before or after the servers in it and their contexts.
///
/// @par Complexity
/// A look-up is linear in the number of entries of the key, as are `remove` and, for each of its keys, a
/// server's end.
///
/// @par Example
/// @code
/// otpp::duplicate_registry topics;
/// topics.add("rain", otpp::self<garden>());
/// topics.dispatch<garden>("rain", [](const otpp::server_ref<garden>& one) { otpp::try_cast<wet>(one); });
/// @endcode
class duplicate_registry {
 public:
  duplicate_registry() : table_(new detail::membership_table) {}
  duplicate_registry(const duplicate_registry&) = delete;
  duplicate_registry& operator=(const duplicate_registry&) = delete;
  ~duplicate_registry() = default;

  /// Adds an entry, even if there is an equal one already. `Registry.register/3`.
  ///
  /// @param key  Any text, also an empty one; copied.
  /// @param who  The server, until it ends.
  void add(std::string_view key, const pid& who) { table_->add(key, who); }

  /// Removes all entries of a server under a key, and returns how many there were. `Registry.unregister/2`.
  ///
  /// @param key  The key whose entries are removed.
  /// @param who  The server; what it has under other keys stays.
  std::size_t remove(std::string_view key, const pid& who) {
    std::size_t removed = 0;
    while (table_->remove(key, who)) {
      ++removed;
    }
    return removed;
  }

  /// Returns the entries of a key, in the order in which they were added. `Registry.lookup/2`.
  ///
  /// @param key  The key; one without an entry gives an empty result.
  std::vector<pid> lookup(std::string_view key) const { return table_->find(key); }

  /// Returns the entries of a key as references to servers whose callbacks are known.
  ///
  /// @param key  The key, all of whose servers must have these callbacks.
  template <class Callbacks>
  std::vector<server_ref<Callbacks>> lookup(std::string_view key) const {
    return table_->find_as<Callbacks>(key);
  }

  /// Calls a function with each entry of a key, and returns how many there were. `Registry.dispatch/3`.
  ///
  /// @param key    The key whose entries are visited.
  /// @param visit  `void(const otpp::pid&)`. Called on this thread, without a lock held; may change the
  ///               registry, which does not change what it is called with.
  template <class Visit>
  std::size_t dispatch(std::string_view key, Visit visit) const {
    std::vector<pid> all = table_->find(key);
    for (const pid& one : all) {
      visit(one);
    }
    return all.size();
  }

  /// Calls a function with each entry of a key, as a reference to a server whose callbacks are known. All
  /// else as above.
  ///
  /// @param key    The key, all of whose servers must have these callbacks.
  /// @param visit  `void(const otpp::server_ref<Callbacks>&)`.
  template <class Callbacks, class Visit>
  std::size_t dispatch(std::string_view key, Visit visit) const {
    std::vector<server_ref<Callbacks>> all = table_->find_as<Callbacks>(key);
    for (const server_ref<Callbacks>& one : all) {
      visit(one);
    }
    return all.size();
  }

  /// Returns the keys that a server has, sorted. `Registry.keys/2`.
  ///
  /// @param who  The server; one without an entry gives an empty result.
  std::vector<std::string> keys(const pid& who) const { return table_->keys(who); }

  /// Returns all keys that have an entry, sorted.
  std::vector<std::string> keys() const { return table_->keys(); }

  /// Returns the number of entries in total. `Registry.count/1`.
  std::size_t count() const { return table_->count(); }

  /// Returns the number of entries of one key. `Registry.count_match/3`.
  ///
  /// @param key  The key; zero for one without an entry.
  std::size_t count(std::string_view key) const { return table_->count(key); }

 private:
  detail::intrusive_ptr<detail::membership_table> table_;
};

} // namespace otpp

#pragma GCC visibility pop
