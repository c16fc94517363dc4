// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_fifo.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/spin_mutex.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/request/detail/open_request.hpp>
#include <otpp/timeout.hpp>

#include <cstddef>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

template <class Label, class Reply>
struct labeled_response;

namespace detail {

template <class Label, class Reply>
class set_state;

template <class Label, class Reply>
class set_wait : public answer_slot<labeled_response<Label, Reply>> {
 public:
  explicit set_wait(intrusive_ptr<set_state<Label, Reply>> of) noexcept : set_(std::move(of)) {}

  bool visit_awaited(awaited_visitor& visit) const noexcept override {
    return set_->visit_awaited(visit, this->is_sure());
  }

  // Ends the wait, because the set was cleared or another wait replaces it.
  void end_waiting() noexcept { this->fail(reply_slot::aborted()); }

  static std::exception_ptr empty() noexcept {
    try {
      return std::make_exception_ptr(
          std::logic_error("otpp: request_set::next, and there is no request in the set"));
    } catch (...) {
      return std::current_exception();
    }
  }

 protected:
  ~set_wait() = default;
  std::string_view operation() const noexcept override { return "request_set::next"; }

 private:
  const intrusive_ptr<set_state<Label, Reply>> set_;
};

// The requests of a set, and the wait for the next response.
//
// Each entry is referenced by the list and by its request, which notifies it of the response. The lock is
// held for pointer operations only; a response is taken by the thread that has taken its entry off the list.
template <class Label, class Reply>
class set_state : public counted<set_state<Label, Reply>> {
 public:
  using wait = set_wait<Label, Reply>;

  ~set_state() { clear(); }

  void add(Label&& label, intrusive_ptr<open_request<Reply>> request) {
    intrusive_ptr<entry> added;
    try {
      added = intrusive_ptr<entry>(new entry(std::move(label), request, *this));
    } catch (...) {
      request->abandon();
      throw;
    }
    {
      std::lock_guard lock(mutex_);
      entries_.push_back(*added);
      ++size_;
    }
    added->add_ref(); // the list's
    added->add_ref(); // the request's
    added->request->listen(*added);
  }

  std::size_t size() const noexcept {
    std::lock_guard lock(mutex_);
    return size_;
  }

  // Visits the servers of the requests, for one who waits here (awaited_visitor).
  bool visit_awaited(awaited_visitor& visit, bool is_sure) noexcept {
    std::lock_guard lock(mutex_);
    entries_.for_each(
        [&](entry& one) { visit(one.request->asked(), is_sure && one.request->is_certain_to_wait()); });
    return size_ > 1;
  }

  // Writes the next response into an unregistered wait that the caller owns. Returns false if there is none.
  bool write_next(wait& one) noexcept {
    entry* what = nullptr;
    {
      std::lock_guard lock(mutex_);
      what = take_ready();
    }
    if (!what) {
      return false;
    }
    write(one, *what);
    return true;
  }

  // Gives the next response to `one`, and takes ownership of its server half.
  void serve_next(wait& one) noexcept {
    wait* before = nullptr;
    bool is_empty = false;
    {
      std::lock_guard lock(mutex_);
      is_empty = size_ == 0; // another has taken the last response meanwhile
      if (!is_empty) {
        before = std::exchange(waiter_, &one);
      }
    }
    if (is_empty) {
      one.fail(wait::empty());
      return;
    }
    if (before) {
      before->end_waiting();
    }
    serve();
  }

  // Abandons all requests, and ends the wait.
  void clear() noexcept {
    wait* waiting = nullptr;
    intrusive_fifo<entry> left;
    {
      std::lock_guard lock(mutex_);
      waiting = std::exchange(waiter_, nullptr);
      ready_.clear();
      while (entry* one = entries_.pop_front()) {
        left.push_back(*one);
      }
      size_ = 0;
    }
    while (entry* one = left.pop_front()) {
      one->request->abandon();
      one->release();
    }
    if (waiting) {
      waiting->end_waiting();
    }
  }

 private:
  struct entry final : response_listener, counted<entry> {
    entry(Label&& text, intrusive_ptr<open_request<Reply>> of, set_state& in) noexcept
        : label(std::move(text)), request(std::move(of)), set(&in) {}

    void response_came() noexcept override {
      set->came(*this);
      this->release();
    }
    void on_discarded() noexcept override { this->release(); }
    bool is_over() const noexcept override { return false; }

    Label label;
    const intrusive_ptr<open_request<Reply>> request;
    const intrusive_ptr<set_state> set;
    // Guarded by the set's lock.
    list_hook<entry> hook_;
    entry* next = nullptr; // in ready_, or among those that are abandoned
  };

  void came(entry& one) noexcept {
    {
      std::lock_guard lock(mutex_);
      if (!one.hook_.is_linked()) {
        return;
      }
      ready_.push_back(one);
    }
    serve();
  }

  // Matches the wait with a response that has arrived.
  void serve() noexcept {
    wait* who = nullptr;
    entry* what = nullptr;
    reply_slot::claim won;
    {
      std::lock_guard lock(mutex_);
      if (!waiter_ || ready_.empty()) {
        return;
      }
      who = std::exchange(waiter_, nullptr);
      won = who->try_claim();
      if (won) {
        what = take_ready();
      }
    }
    if (!won) {
      who->release_server_half(); // the response stays for the next wait
      return;
    }
    write(*who, *what);
    who->deliver_and_release(won);
  }

  // Takes the entry whose response arrived first out of the set; returns null if there is none. Called under
  // the lock.
  entry* take_ready() noexcept {
    entry* what = ready_.pop_front();
    if (what) {
      entries_.erase(*what);
      --size_;
    }
    return what;
  }

  void write(wait& who, entry& what) noexcept {
    who.emplace(std::move(what.label), what.request->take());
    what.release();
  }

  mutable spin_mutex mutex_;
  wait* waiter_ = nullptr; // owns its server half
  intrusive_list<entry> entries_;
  intrusive_fifo<entry> ready_; // those of them that have their response
  std::size_t size_ = 0;
};

template <class Label, class Reply>
class initiate_next : public initiation {
 public:
  initiate_next(intrusive_ptr<set_state<Label, Reply>> of, duration patience) noexcept
      : set_(std::move(of)), timeout_(patience) {}

  template <class Handler>
  void operator()(Handler&& handler) {
    using waiting = operation<set_wait<Label, Reply>, labeled_response<Label, Reply>, std::decay_t<Handler>>;
    intrusive_ptr<set_state<Label, Reply>> set = set_;
    duration patience = timeout_;
    unregistered<waiting> wait = make_operation<waiting>(
        std::forward<Handler>(handler), asio::any_io_executor(asio::system_executor()), set);
    if (!wait) {
      return;
    }
    wait->timeout = patience;
    context_guard inside(wait->context());
    if (!inside) {
      return; // and no response is taken out of the set
    }
    if (set->size() == 0) {
      refuse(wait, inside, waiting::empty());
    } else if (set->write_next(*wait)) {
      complete(wait, inside, [](waiting&) noexcept {});
    } else if (patience < duration::zero()) {
      refuse(wait, inside, wait->say(errc::timeout));
    } else if (std::exception_ptr why = deadlock_of_any(*wait)) {
      refuse(wait, inside, std::move(why));
    } else if (server_half<waiting> half = register_wait(wait, inside)) {
      set->serve_next(*half.release());
    }
  }

 private:
  intrusive_ptr<set_state<Label, Reply>> set_;
  duration timeout_;
};

} // namespace detail
} // namespace otpp

#pragma GCC visibility pop
