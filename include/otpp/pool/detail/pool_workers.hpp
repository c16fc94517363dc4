// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/pool/detail/pool_table.hpp>
#include <otpp/process/self.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/supervisor/detail/child_maker.hpp>

#include <asio/awaitable.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Starts a worker, and puts it in its place. Awaited by the supervisor.
class pool_worker_maker final : public child_maker {
 public:
  pool_worker_maker(std::shared_ptr<pool_table> table, std::size_t place) noexcept
      : table_(std::move(table)), place_(place) {}

  asio::awaitable<pid> start(options how) const override {
    pid who = co_await table_->maker->start(std::move(how));
    table_->put(place_, who, otpp::self());
    co_return who;
  }
  std::string_view type_name() const noexcept override { return table_->maker->type_name(); }

 private:
  std::shared_ptr<pool_table> table_;
  std::size_t place_;
};

// How the workers of a pool are started and ended.
struct pool_plan {
  std::shared_ptr<pool_table> table;
  options how;
  duration drain;

  static std::string id_of(std::size_t place) { return "worker " + std::to_string(place); }

  child_spec worker(std::size_t place) const {
    return child_spec(id_of(place), std::make_shared<const pool_worker_maker>(table, place))
        .start_options(how)
        .drain(drain);
  }
};

// Ends a change of a pool's size.
class pool_resize {
 public:
  explicit pool_resize(pool_table& table) : table_(table) {
    if (!table.begin_resize()) {
      throw error(errc::running, "otpp: resize of a pool, which is being resized");
    }
  }
  pool_resize(const pool_resize&) = delete;
  pool_resize& operator=(const pool_resize&) = delete;
  ~pool_resize() { table_.end_resize(); }

 private:
  pool_table& table_;
};

inline asio::awaitable<void> end_pool_worker(pid top, std::size_t place) {
  std::string id = pool_plan::id_of(place);
  co_await otpp::terminate_child(top, id);
  co_await otpp::delete_child(top, id);
}

inline asio::awaitable<void> resize_pool(pool_plan plan, std::size_t size) {
  pool_resize alone(*plan.table);
  pid top = plan.table->supervisor();
  std::size_t before = plan.table->size();
  for (std::size_t place = before; place < size; ++place) {
    child_spec one = plan.worker(place);
    plan.table->set_size(place + 1, top);
    bool is_left = false;
    std::exception_ptr why;
    try {
      co_await otpp::start_child(top, one);
    } catch (const error& failure) {
      is_left = failure.code() == errc::already_started || failure.code() == errc::already_present;
      why = std::current_exception();
    } catch (...) {
      why = std::current_exception();
    }
    if (is_left) { // by a resize that was cancelled
      try {
        co_await end_pool_worker(top, place);
        co_await otpp::start_child(top, one);
        why = nullptr;
      } catch (...) {
        why = std::current_exception();
      }
    }
    if (why) {
      plan.table->set_size(place, top);
      std::rethrow_exception(why);
    }
  }
  if (size < before) {
    plan.table->set_size(size, top); // what is sent from now on goes to the others
  }
  for (std::size_t place = before; place-- > size;) {
    co_await end_pool_worker(top, place);
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
