// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A function that hears of what a topic tells.
//
//   listed -> ended   by end(), which waits for the calls that other threads make of the function meanwhile
//
// References: the subscription's, from subscribe() to end(); and one of each call that runs.
class listener : public counted<listener> {
 public:
  listener() = default;
  virtual ~listener() = default;

  // From here on it is not called, and no other thread is in a call of it. Once.
  virtual void end() noexcept = 0;

 protected:
  // A call of a listener that runs on this thread, on its stack.
  class call {
   public:
    explicit call(const listener& whom) noexcept : whom_(&whom), outer_(std::exchange(innermost(), this)) {}
    call(const call&) = delete;
    call& operator=(const call&) = delete;
    ~call() { innermost() = outer_; }

    static int count_on_this_thread(const listener& whom) noexcept {
      int count = 0;
      for (const call* one = innermost(); one; one = one->outer_) {
        count += one->whom_ == &whom ? 1 : 0;
      }
      return count;
    }

   private:
    static const call*& innermost() noexcept {
      static thread_local const call* on_this_thread = nullptr;
      return on_this_thread;
    }

    const listener* whom_;
    const call* outer_;
  };
};

// True for what is not printed either if nobody listens.
template <class Report>
inline constexpr bool is_silent = false;

// Is told when a listener comes (1) or goes (-1).
template <class Report>
struct listeners {
  static void change(int) noexcept {}
};

// What a program can hear of reports of one type: any number of listeners, in the order in which they subscribed.
// Without any, a report is one line on stderr, unless it is silent.
template <class Report>
class topic {
 public:
  using function = std::function<void(const Report&)>;

  // Returns the listener, which whoever ends it owns. May throw std::bad_alloc.
  static intrusive_ptr<listener> subscribe(function what) { return add(std::move(what), false); }

  // As above, but the line is printed all the same, unless somebody else has subscribed.
  static intrusive_ptr<listener> subscribe_beside_line(function what) { return add(std::move(what), true); }

  // False: what is told now, nobody hears. Any thread.
  static bool is_heard() noexcept { return count_.load(std::memory_order_relaxed) != 0; }

  // Calls the listeners, without a lock held: each may subscribe, and end any subscription. Swallows their exceptions,
  // because a report must not cause a further failure.
  static void tell(const Report& report) noexcept {
    topic& self = instance();
    bool is_heard = false;
    std::uint64_t last = 0;
    while (intrusive_ptr<member> one = self.begin_call(last)) {
      one->hear(report);
      self.end_call(*one);
      last = one->number;
      is_heard = is_heard || !one->is_beside_line;
    }
    if constexpr (!is_silent<Report>) {
      if (!is_heard && !is_known(report)) {
        print(stderr, report);
      }
    }
  }

  // Tells what `make` returns, which is called only if somebody listens, and may throw.
  template <class Make>
  static void tell_if_heard(Make make) noexcept {
    if (!is_heard()) [[likely]] {
      return;
    }
    try {
      tell(make());
    } catch (...) {
      // Without memory nothing is reported.
    }
  }

  // A name in it may have a zero in the middle.
  static void print(std::FILE* to, const Report& report) noexcept {
    try {
      std::string line = report.text() + '\n';
      std::fwrite(line.data(), 1, line.size(), to);
    } catch (...) {
      // Without memory nothing is reported.
    }
  }

 private:
  class member final : public listener {
   public:
    member(function what, bool is_beside) : is_beside_line(is_beside), what_(std::move(what)) {}

    void end() noexcept override { instance().remove(*this); }

    void hear(const Report& report) noexcept {
      call now(*this);
      try {
        what_(report);
      } catch (...) {
      }
    }

    function take_function() noexcept { return std::exchange(what_, nullptr); }

    int calls_of_this_thread() const noexcept { return call::count_on_this_thread(*this); }

    const bool is_beside_line; // reports are printed although it hears them
    std::uint64_t number = 0;
    int running = 0; // calls; under the lock

   private:
    friend intrusive_list<member>;
    list_hook<member> hook_;
    function what_;
  };

  topic() = default;

  // How many listeners there are. Not in the instance, which is made when somebody subscribes, or something is told.
  static inline constinit std::atomic<std::size_t> count_{0};

  static intrusive_ptr<listener> add(function what, bool is_beside_line) {
    intrusive_ptr<member> made(new member(std::move(what), is_beside_line));
    topic& self = instance();
    std::lock_guard lock(self.mutex_);
    made->number = ++self.newest_;
    made->add_ref(); // the list's
    self.members_.push_back(*made);
    count_.fetch_add(1, std::memory_order_relaxed);
    listeners<Report>::change(1);
    return made;
  }

  // Returns true if a report of another type has said the same.
  static bool is_known(const Report& report) noexcept {
    if constexpr (requires { report.is_known; }) {
      return report.is_known;
    } else {
      return false;
    }
  }

  // Never destroyed: a server may crash while the program's static objects are being destroyed.
  static topic& instance() {
    static auto* made = new topic;
    return *made;
  }

  // Returns the next listener after that number, or null.
  intrusive_ptr<member> begin_call(std::uint64_t after) noexcept {
    std::lock_guard lock(mutex_);
    intrusive_ptr<member> found(members_.find([&](const member& one) { return one.number > after; }));
    if (found) {
      ++found->running;
    }
    return found;
  }

  void end_call(member& one) noexcept {
    {
      std::lock_guard lock(mutex_);
      --one.running;
    }
    returned_.notify_all();
  }

  void remove(member& one) noexcept {
    function gone; // destroyed here, and not by a thread that was in a call
    {
      std::unique_lock lock(mutex_);
      members_.erase(one);
      count_.fetch_sub(1, std::memory_order_relaxed);
      listeners<Report>::change(-1);
      returned_.wait(lock, [&] { return one.running == one.calls_of_this_thread(); });
      if (one.running == 0) { // else a call on this thread uses it
        gone = one.take_function();
      }
    }
    one.release(); // the list's
  }

  std::mutex mutex_;
  std::condition_variable returned_;
  intrusive_list<member> members_;
  std::uint64_t newest_ = 0;
};

} // namespace otpp::detail

#pragma GCC visibility pop
