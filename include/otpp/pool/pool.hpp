// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/error.hpp>
#include <otpp/pool/detail/pool_table.hpp>
#include <otpp/pool/detail/pool_workers.hpp>
#include <otpp/pool/pool_options.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/detail/child_maker.hpp>
#include <otpp/supervisor/supervisor.hpp>
#include <otpp/supervisor/supervisor_spec.hpp>

#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The worker of a `pool` to which a key belongs: an address, which `pool.at(key)` returns.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
template <class Callbacks>
class pool_place {
 public:
  /// The callbacks of the workers.
  using callbacks_type = Callbacks;
  /// What keeps a call's place at its worker.
  using lease_type = detail::pool_lease;

  /// Returns the worker to which the key belongs; nobody if it does not live. The verbs call it.
  server_ref<Callbacks> resolve() const { return pick(nullptr); }

  /// Returns the worker for a call, which is counted until it is answered. The verbs call it.
  ///
  /// @param lease  Gets the call's place at the worker, which is free again when it is destroyed.
  server_ref<Callbacks> lend(lease_type& lease) const { return pick(&lease); }

 private:
  friend class pool<Callbacks>;

  pool_place(std::shared_ptr<detail::pool_table> table, std::uint64_t key) noexcept
      : table_(std::move(table)), key_(key) {}

  server_ref<Callbacks> pick(lease_type* lease) const {
    return detail::access::make<server_ref<Callbacks>>(table_->choose_for(key_, lease));
  }

  std::shared_ptr<detail::pool_table> table_;
  std::uint64_t key_;
};

/// Servers of one kind, the workers, behind one address and under a supervisor of their own. Elixir's
/// `PartitionSupervisor`.
///
/// It is an address like a `server_ref`: `call`, `cast`, `send`, `send_request` and their kin choose a worker at each use,
/// and send to it directly; there is no server between. What is sent by one sender through a pool may be handled by several
/// workers, in any order; what is sent to `pool.at(key)` is handled in order, as long as the size stays as it is. Use it as
/// a child of a supervisor, or start it by `start_pool`.
///
/// A worker that fails is restarted, and keeps its place; its calls are told, as those of any server. Until then other
/// workers get what comes, and what comes for its keys is refused with `errc::no_process`. With more failures than the
/// intensity allows the whole pool ends. If a supervisor restarts it, it has the size again with which it began.
///
/// Copies are the same pool. `monitor`, `link` and `join` are for its supervisor: `monitor(workers.supervisor())`.
///
/// @par Thread safety
/// Safe from any thread: choosing a worker takes a lock for as long as it takes to look at the workers' counters.
///
/// @par Lifetime
/// May outlive the workers, their supervisor and their contexts. Keeps none of them running.
///
/// @par Example
/// @code
/// otpp::pool<resizer> workers(otpp::pool_options(4, otpp::least_busy));
/// auto tree = otpp::supervisor_spec().add(workers.child("resizers", quality)).add(otpp::child<front>("front", workers));
/// ...
/// image small = co_await otpp::call<resizer::shrink>(workers, std::move(large));
/// co_await otpp::cast<counter::add>(counters.at(user), 1);
/// @endcode
template <class Callbacks>
class pool {
 public:
  /// The callbacks of the workers.
  using callbacks_type = Callbacks;
  /// What keeps a call's place at its worker.
  using lease_type = detail::pool_lease;

  /// Makes a pool that has no workers until its supervisor runs.
  ///
  /// @param how  How many workers, how they are chosen, and how they are started, restarted and ended.
  explicit pool(pool_options how)
      : plan_{std::make_shared<detail::pool_table>(how.routing_, how.size_, how.in_flight_), std::move(how.options_), how.drain_},
        first_size_(how.size_),
        intensity_(how.intensity_),
        period_(how.period_) {}

  /// Specifies the pool's supervisor, as a child of another one. This, or `spec`, can be called once for each
  /// pool; it throws std::logic_error otherwise.
  ///
  /// @param id    What that supervisor calls it, as for `otpp::child`.
  /// @param args  The arguments of each worker's `init`, which are copied at each start.
  template <class... Args>
  child_spec child(std::string id, Args&&... args) const {
    supervisor_spec mine = spec(std::forward<Args>(args)...);
    return otpp::child<otpp::supervisor>(std::move(id), std::move(mine));
  }

  /// Specifies its supervisor, to be started by `start_supervisor`, or to be the whole program of `run`. All else as `child`.
  ///
  /// @param args  As above.
  template <class... Args>
  supervisor_spec spec(Args&&... args) const {
    if constexpr (detail::check_child<Callbacks, std::decay_t<Args>...>()) {
      if (plan_.table->maker) {
        throw std::logic_error("otpp: a pool has one supervisor");
      }
      plan_.table->maker = std::make_shared<const detail::server_maker<Callbacks, std::decay_t<Args>...>>(
          std::in_place, std::forward<Args>(args)...);
    }
    supervisor_spec made;
    made.intensity(intensity_, period_);
    for (std::size_t place = 0; place != first_size_; ++place) {
      made.add(plan_.worker(place));
    }
    return made;
  }

  /// Returns the worker for a key, as an address. The same key has the same place as long as the size is the
  /// same; when the size changes from n to n + 1, or back, one of n + 1 keys changes its place.
  ///
  /// @param key  Any value that `std::hash` takes, or a string; it is not kept.
  template <class Key>
  pool_place<Callbacks> at(const Key& key) const {
    using hashed =
        std::conditional_t<std::is_convertible_v<const Key&, std::string_view>, std::string_view, Key>;
    return pool_place<Callbacks>(plan_.table, static_cast<std::uint64_t>(std::hash<hashed>()(key)));
  }

  /// Returns how many workers it has, or is to have.
  std::size_t size() const noexcept { return plan_.table->size(); }

  /// Returns its supervisor; nobody before it has been started.
  pid supervisor() const noexcept { return plan_.table->supervisor(); }

  /// Starts more workers, or ends the last ones, and completes when that is done. A worker that is to end gets nothing more
  /// at once, and is drained (`pool_options::drain`). So everything that one sender sends to `at(key)` before and after is
  /// handled, but not in order where the key changes its place.
  ///
  /// @param workers  How many it has then: one at least.
  ///
  /// @par Errors
  /// - any exception that `init` throws; the pool has then as many workers as had been started before.
  /// - `errc::running`: it is being resized.
  /// - `errc::no_process`: it does not run.
  /// - `std::invalid_argument`, from the call itself: `workers` is zero.
  ///
  /// @par Cancellation
  /// As of `start_child` and `terminate_child`: what is being started or ended then goes on. What is left of it gets
  /// nothing, and is replaced by a `resize` to a larger size.
  asio::awaitable<void> resize(std::size_t workers) const {
    if (workers == 0) {
      throw std::invalid_argument("otpp: a pool has one worker at least");
    }
    return detail::resize_pool(plan_, workers);
  }

  /// Ends the pool, as `server_ref::stop` of its supervisor. The workers are drained, as `pool_options::drain` says.
  ///
  /// @param args  What `server_ref::stop` takes: a reason, a timeout, `otpp::ahead` and a completion token.
  template <class... Args>
  auto stop(Args&&... args) const {
    return supervisor().stop(std::forward<Args>(args)...);
  }

  /// Lets the workers finish what they have, and ends the pool, as `server_ref::drain` of its supervisor. They are drained
  /// one after the other, the last first; those that are left take the messages until it is their turn.
  ///
  /// @param args  What `server_ref::drain` takes: how long it may take, and then, if wanted, a reason and a
  ///              completion token.
  template <class... Args>
  auto drain(Args&&... args) const {
    return supervisor().drain(std::forward<Args>(args)...);
  }

  /// Waits until the pool has ended, as `server_ref::join` of its supervisor.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  template <class Token = asio::use_awaitable_t<>>
  auto join(Token&& token = {}) const {
    return supervisor().join(std::forward<Token>(token));
  }

  /// Returns the worker that gets the next message; nobody if none lives. The verbs call it.
  server_ref<Callbacks> resolve() const { return pick(nullptr); }

  /// Returns the worker that gets the next call, which is counted until it is answered. The verbs call it.
  ///
  /// @param lease  Gets the call's place at the worker, which is free again when it is destroyed.
  server_ref<Callbacks> lend(lease_type& lease) const { return pick(&lease); }

  friend bool operator==(const pool& a, const pool& b) noexcept { return a.plan_.table == b.plan_.table; }

 private:
  server_ref<Callbacks> pick(lease_type* lease) const {
    return detail::access::make<server_ref<Callbacks>>(plan_.table->choose(lease));
  }

  detail::pool_plan plan_;
  std::size_t first_size_;
  std::size_t intensity_;
  duration period_;
};

namespace detail {

template <class Callbacks>
asio::awaitable<pool<Callbacks>> begin_pool(pool<Callbacks> made, supervisor_spec spec) {
  co_await start_supervisor(std::move(spec));
  co_return made;
}

} // namespace detail

/// Starts a pool, without a link, and completes when all workers have started: `start_supervisor` of its specification.
///
/// @param how   How many workers, how they are chosen, and how they are started, restarted and ended.
/// @param args  The arguments of each worker's `init`, which are copied for each start.
///
/// @par Errors
/// As `start_supervisor`: `errc::exited`, with the exception that an `init` has thrown as `reason()`.
///
/// @par Example
/// @code
/// auto workers = co_await otpp::start_pool<resizer>(otpp::pool_options(4), quality);
/// @endcode
template <class Callbacks, class... Args>
asio::awaitable<pool<Callbacks>> start_pool(pool_options how, Args&&... args) {
  pool<Callbacks> made(std::move(how));
  supervisor_spec spec = made.spec(std::forward<Args>(args)...);
  return detail::begin_pool<Callbacks>(std::move(made), std::move(spec));
}

} // namespace otpp

#pragma GCC visibility pop
