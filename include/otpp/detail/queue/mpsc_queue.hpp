// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/memory/op_storage.hpp>

#include <atomic>
#include <cstdint>
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
// Node needs a member `Node* next`. Nothing here allocates, throws or calls user code.
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

  // The functions below are for the consumer only.

  // Like push(), called by the thread that is the consumer. Relaxed: a push that happens-before this one is
  // visible, and the order among the others is unspecified.
  push_result push_owned(Node* node) noexcept {
    if (head_.load(std::memory_order_relaxed) != nullptr) {
      return push(node);
    }
    node->next = nullptr;
    (front_ ? back_->next : front_) = node;
    back_ = node;
    return push_result::queued;
  }

  // Returns the oldest node without taking it.
  OTPP_INLINE Node* front() noexcept {
    if (!front_) {
      Node* head = head_.load(std::memory_order_relaxed);
      if (head == nullptr || head == parked() || head == barred()) {
        return nullptr;
      }
      back_ = head_.exchange(nullptr, std::memory_order_acquire);
      front_ = oldest_first(back_);
    }
    return front_;
  }

  Node* pop() noexcept {
    Node* node = front();
    if (node) {
      front_ = node->next;
    }
    return node;
  }

  // Takes the nodes for which `wanted` returns true, oldest first.
  template <class Wanted>
  Node* extract(Wanted wanted) noexcept {
    Node* head = head_.load(std::memory_order_relaxed);
    if (head != nullptr && head != parked() && head != barred()) {
      head = head_.exchange(nullptr, std::memory_order_acquire);
      (front_ ? back_->next : front_) = oldest_first(head);
      back_ = head;
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

  // Calls `visit` with each node, in no order, until it returns false. Nothing is taken.
  template <class Visit>
  void visit(Visit visit) const noexcept {
    const Node* at = front_;
    while (at && visit(*at)) {
      at = at->next;
    }
    if (at) {
      return;
    }
    at = head_.load(std::memory_order_acquire);
    if (at == parked() || at == barred()) {
      return;
    }
    while (at && visit(*at)) {
      at = at->next;
    }
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
    Node* head = head_.exchange(barred(), std::memory_order_acq_rel);
    Node* rest = head == parked() || head == barred() ? nullptr : oldest_first(head);
    if (!front_) {
      return rest;
    }
    back_->next = rest;
    return std::exchange(front_, nullptr);
  }

 private:
  static Node* parked() noexcept { return reinterpret_cast<Node*>(std::uintptr_t{1}); }
  static Node* barred() noexcept { return reinterpret_cast<Node*>(std::uintptr_t{2}); }

  static Node* oldest_first(Node* node) noexcept {
    Node* result = nullptr;
    while (node) {
      Node* next = node->next;
      node->next = result;
      result = node;
      node = next;
    }
    return result;
  }

  std::atomic<Node*> head_;

 public:
  // For the thread that must wake the consumer; there is at most one. Placed here to keep what producers
  // write off the cache line of what the consumer writes.
  op_storage wake_storage;

 private:
  Node* front_ = nullptr; // taken, not yet popped
  Node* back_ = nullptr;  // the last node of that batch; valid only if front_ is set
};

} // namespace otpp::detail

#pragma GCC visibility pop
