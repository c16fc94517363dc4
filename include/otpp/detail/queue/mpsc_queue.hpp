// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/memory/op_storage.hpp>
#include <otpp/detail/util/spin_mutex.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

enum class push_result : std::uint8_t {
  queued,  // the consumer is awake, or another thread is waking it
  woke,    // the consumer was parked: the caller must wake it
  refused, // barred: nothing was taken
};

// An intrusive queue with many producers and one consumer that can park.
//
// One word holds the whole state. `head_` is
//   parked    nothing is queued and the consumer is parked
//   null      nothing is queued and the consumer is awake
//   barred    closed forever
//   a node    the newest node of a list, linked to the older ones; the consumer is awake, or being woken
//
// Its transitions:
//   producer  parked -> node (and must wake the consumer), null -> node, node -> node
//   claimer   parked -> null: becomes the consumer without queueing anything
//   consumer  node -> null (takes the batch), null -> parked, anything -> barred
//
// A push takes one RMW, as does taking a batch, and parking. No push can be missed between finding the queue
// empty and parking, because both concern the same word.
//
// A push by the consumer's own thread appends to the batch that it has taken, without any RMW, unless another
// thread has pushed since: only then can head_ hold older nodes.
//
// Any thread may count what is queued, which costs neither side anything while nobody does. Nodes that are on head_'s list
// are not changed by anybody; so the counting thread announces itself and then loads head_, and the consumer takes a
// batch and then checks whether its queue is being counted. All four operations are sequentially consistent: either the
// counting thread finds the batch gone, or the consumer sees it, and passes through the mutex before it touches a node.
//
// Node needs a member `Node* next`, and `bool counts() const`, which does not change while the node is queued. Nothing here
// allocates, throws or calls user code.
template <class Node>
class mpsc_queue {
 public:
  explicit mpsc_queue(bool is_parked) noexcept : head_(is_parked ? parked() : nullptr) {}

  // Any thread.
  push_result push(Node* node) noexcept {
    Node* head = head_.load(std::memory_order_relaxed);
    do {
      if (head == barred()) {
        return push_result::refused;
      }
      node->next = head == parked() ? nullptr : head;
    } while (!head_.compare_exchange_weak(head, node, std::memory_order_acq_rel, std::memory_order_relaxed));
    return head == parked() ? push_result::woke : push_result::queued;
  }

  // Any thread: takes the role of a parked consumer.
  bool claim() noexcept {
    Node* head = head_.load(std::memory_order_relaxed);
    return head == parked() &&
           head_.compare_exchange_strong(head, nullptr, std::memory_order_acquire, std::memory_order_relaxed);
  }

  // Any thread. The result may be stale.
  bool is_parked() const noexcept { return head_.load(std::memory_order_acquire) == parked(); }

  bool is_barred() const noexcept { return head_.load(std::memory_order_acquire) == barred(); }

  // Any thread: returns how many nodes that count are queued. Stops at `most` nodes of the list of head_, so that it takes
  // a bounded time, for which the consumer waits if it wants that list. The result may be stale.
  std::size_t count_up_to(std::size_t most) const noexcept {
    for (int attempt = 0;; ++attempt) {
      std::size_t number = 0;
      std::uint32_t held = 0;
      {
        const look looking(*this);
        number = weigh(head_.load(std::memory_order_seq_cst), most);
        held = held_.load(std::memory_order_acquire); // in the look: else a batch could be counted twice
      }
      if ((held & is_taking) == 0 ||
          attempt == 16) { // how long a very long batch is, the consumer says later
        return number + (held & ~is_taking);
      }
      pause_briefly();
    }
  }

  // The functions below are for the consumer only.

  // Like push(), called by the thread that is the consumer. Relaxed: a push that happens-before this one is
  // visible, and the order among the others is unspecified. `weight` is 1 if the node counts, else 0.
  push_result push_owned(Node* node, std::uint32_t weight) noexcept {
    if (head_.load(std::memory_order_relaxed) != nullptr) {
      return push(node);
    }
    node->next = nullptr;
    (front_ ? back_->next : front_) = node;
    back_ = node;
    set_held(number_held() + weight);
    return push_result::queued;
  }

  // Returns the oldest node without taking it.
  OTPP_INLINE Node* front() noexcept {
    if (!front_) {
      Node* head = head_.load(std::memory_order_relaxed);
      if (head == nullptr || head == parked() || head == barred()) {
        return nullptr;
      }
      append_batch();
    }
    return front_;
  }

  // The consumer holds the node until it says that it has let it go (let_go), if it counts.
  OTPP_INLINE Node* pop() noexcept {
    Node* node = front();
    if (node) {
      drop_front();
    }
    return node;
  }

  // Takes the node that front() has returned.
  void drop_front() noexcept { front_ = front_->next; }

  // How many nodes that count the consumer holds: in the batch that it has taken, and beside it.
  std::uint32_t number_held() const noexcept { return held_.load(std::memory_order_relaxed); }
  void let_go() noexcept { set_held(number_held() - 1); }
  void hold() noexcept { set_held(number_held() + 1); } // again
  void let_all_go() noexcept { set_held(0); }

  // Like count_up_to(): nobody else takes nodes off the list, so that this need not keep anybody from it.
  std::size_t count_own_up_to(std::size_t most) const noexcept {
    return number_held() + weigh(head_.load(std::memory_order_acquire), most);
  }

  // Takes the nodes for which `wanted` returns true, oldest first. The consumer still holds them.
  template <class Wanted>
  Node* extract(Wanted wanted) noexcept {
    Node* head = head_.load(std::memory_order_relaxed);
    if (head != nullptr && head != parked() && head != barred()) {
      append_batch();
    }
    Node* result = nullptr;
    Node** end = &result;
    back_ = nullptr;
    for (Node** at = &front_; *at;) {
      Node* node = *at;
      if (wanted(*node)) {
        *at = node->next;
        node->next = nullptr;
        *end = node;
        end = &node->next;
      } else {
        back_ = node;
        at = &node->next;
      }
    }
    return result;
  }

  bool empty() const noexcept {
    Node* head = head_.load(std::memory_order_relaxed);
    return !front_ && (head == nullptr || head == parked() || head == barred());
  }

  // Parks the consumer. Returns false if there is something to pop, or the queue is barred.
  bool park() noexcept {
    Node* expected = nullptr;
    return !front_ && head_.compare_exchange_strong(
                          expected, parked(), std::memory_order_acq_rel, std::memory_order_relaxed);
  }

  // Closes the queue and takes everything in it, oldest first, in one step.
  Node* bar() noexcept {
    Node* head = head_.exchange(barred(), std::memory_order_seq_cst);
    pass_look();
    std::uint32_t number = 0;
    Node* rest = head == parked() || head == barred() ? nullptr : oldest_first(head, number);
    set_held(0);
    if (!front_) {
      return rest;
    }
    back_->next = rest;
    return std::exchange(front_, nullptr);
  }

 private:
  static Node* parked() noexcept { return reinterpret_cast<Node*>(std::uintptr_t{1}); }
  static Node* barred() noexcept { return reinterpret_cast<Node*>(std::uintptr_t{2}); }

  // The permission to follow the list of head_. One thread has it at a time.
  class look {
   public:
    explicit look(const mpsc_queue& at) noexcept : lock_(mutex_) {
      looked_at_.store(&at, std::memory_order_seq_cst);
    }
    look(const look&) = delete;
    look& operator=(const look&) = delete;
    ~look() { looked_at_.store(nullptr, std::memory_order_seq_cst); }

   private:
    std::lock_guard<spin_mutex> lock_;
  };

  // Counts in a list of head_, `most` nodes of it at most.
  static std::size_t weigh(const Node* at, std::size_t most) noexcept {
    std::size_t number = 0;
    if (at != parked() && at != barred()) {
      for (std::size_t steps = 0; at && steps != most; ++steps, at = at->next) {
        number += weight(*at);
      }
    }
    return number;
  }

  // Called by the consumer when it has taken nodes off head_'s list, before it touches them.
  void pass_look() const noexcept {
    if (looked_at_.load(std::memory_order_seq_cst) == this) [[unlikely]] {
      std::lock_guard wait(mutex_);
    }
  }

  // Takes what is on head_'s list, behind what has been taken before.
  OTPP_NOINLINE void append_batch() noexcept {
    set_held(number_held() | is_taking); // else who counts now could miss the whole batch
    Node* newest = head_.exchange(nullptr, std::memory_order_seq_cst);
    pass_look();
    std::uint32_t number = 0;
    (front_ ? back_->next : front_) = oldest_first(newest, number);
    back_ = newest;
    set_held((number_held() & ~is_taking) + number);
  }

  static std::uint32_t weight(const Node& node) noexcept { return node.counts() ? 1 : 0; }
  void set_held(std::uint32_t number) noexcept { held_.store(number, std::memory_order_release); }

  // Adds how many of them count.
  static Node* oldest_first(Node* node, std::uint32_t& number) noexcept {
    Node* result = nullptr;
    while (node) {
      number += weight(*node);
      Node* next = node->next;
      node->next = result;
      result = node;
      node = next;
    }
    return result;
  }

  static constexpr std::uint32_t is_taking = std::uint32_t{1} << 31;
  static inline spin_mutex mutex_;
  static inline std::atomic<const mpsc_queue*> looked_at_{nullptr};

  std::atomic<Node*> head_;

 public:
  // For the thread that must wake the consumer; there is at most one. Placed here to keep what producers
  // write off the cache line of what the consumer writes.
  op_storage wake_storage;

 private:
  Node* front_ = nullptr;              // taken, not yet popped
  Node* back_ = nullptr;               // the last node of that batch; valid only if front_ is set
  std::atomic<std::uint32_t> held_{0}; // number_held(), with is_taking while the consumer does not know
};

} // namespace otpp::detail

#pragma GCC visibility pop
