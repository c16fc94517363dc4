# The mistakes that the explorer must find, each by the scenario named with it; read by instrument.cmake,
# which puts them into a copy of the headers, and by CMakeLists.txt, which makes a test of each.
#
# plant(<name> <scenario> <header> <original> <mutated>): one of the two is run. Both are expressions, or both
#   whole statements.
# plant_text(<name> <scenario> <header> <original> <with both>): asks is_planted() itself.
# The original must stand in the header exactly once, so that a mutant does not outlive what it mutates.

# ---- mpsc_queue ----

plant(push_tells_nobody mpsc_queue.wake_up detail/queue/mpsc_queue.hpp
  [[return head == parked() ? push_result::woke : push_result::queued;]]
  [[return push_result::queued;]]
)
plant(push_publishes_nothing mpsc_queue.wake_up detail/queue/mpsc_queue.hpp
  [[head_.compare_exchange_weak(head, node, std::memory_order_acq_rel, std::memory_order_relaxed)]]
  [[head_.compare_exchange_weak(head, node, std::memory_order_relaxed, std::memory_order_relaxed)]]
)
plant(batch_in_two_steps mpsc_queue.wake_up detail/queue/mpsc_queue.hpp
  [[head_.exchange(nullptr, std::memory_order_seq_cst)]]
  [[[&] {
    Node* had = head_.load(std::memory_order_acquire);
    head_.store(nullptr, std::memory_order_release);
    return had;
  }()]]
)
plant(park_in_two_steps mpsc_queue.wake_up detail/queue/mpsc_queue.hpp
  [[Node* expected = nullptr;
    return !front_ && head_.compare_exchange_strong(
                          expected, parked(), std::memory_order_acq_rel, std::memory_order_relaxed);]]
  [[if (front_ || head_.load(std::memory_order_acquire) != nullptr) { return false; }
    head_.store(parked(), std::memory_order_release); return true;]]
)
plant(park_publishes_nothing mpsc_queue.claim detail/queue/mpsc_queue.hpp
  [[head_.compare_exchange_strong(
                          expected, parked(), std::memory_order_acq_rel, std::memory_order_relaxed)]]
  [[head_.compare_exchange_strong(
      expected, parked(), std::memory_order_relaxed, std::memory_order_relaxed)]]
)
plant(claim_in_two_steps mpsc_queue.claim detail/queue/mpsc_queue.hpp
  [[head == parked() &&
           head_.compare_exchange_strong(head, nullptr, std::memory_order_acquire, std::memory_order_relaxed)]]
  [[head == parked() && (head_.store(nullptr, std::memory_order_relaxed), true)]]
)
plant(bar_in_two_steps mpsc_queue.bar detail/queue/mpsc_queue.hpp
  [[head_.exchange(barred(), std::memory_order_seq_cst)]]
  [[[&] {
    Node* had = head_.load(std::memory_order_acquire);
    head_.store(barred(), std::memory_order_release);
    return had;
  }()]]
)
plant(look_is_not_passed mpsc_queue.count detail/queue/mpsc_queue.hpp
  [[looked_at_.load(std::memory_order_seq_cst) == this]]
  [[false]]
)
plant(look_is_not_announced mpsc_queue.count detail/queue/mpsc_queue.hpp
  [[looked_at_.store(&at, std::memory_order_seq_cst);]]
  [[static_cast<void>(at);]]
)
plant_text(barred_and_look_is_not_passed mpsc_queue.count_or_bar detail/queue/mpsc_queue.hpp
  [[    pass_look();
    std::uint32_t number = 0;
    Node* rest =]]
  [[    if (!::preemption::is_planted("barred_and_look_is_not_passed")) {
      pass_look();
    }
    std::uint32_t number = 0;
    Node* rest =]]
)

# ---- mailbox ----

plant_text(closed_is_asked_too_late mailbox.close detail/queue/mailbox.hpp
  [[      return push_within_limit(*line, item, who, may_wait, last);
    }
]]
  [[      return push_within_limit(*line, item, who, may_wait, last);
    }
    if (::preemption::is_planted("closed_is_asked_too_late")) {
      result taken = enqueue(item, who);
      return is_closed() ? result::closed : taken;
    }
]]
)
plant_text(closed_is_asked_too_early mailbox.withdraw detail/queue/impl/mailbox.hpp
  [[  std::lock_guard lock(line.mutex);
  if (result why = admission_.refusal(last); why != result::taken) {]]
  [[  result too_early = admission_.refusal(last);
  std::lock_guard lock(line.mutex);
  if (result why = ::preemption::is_planted("closed_is_asked_too_early") ? too_early : admission_.refusal(last);
      why != result::taken) {]]
)
plant(nobody_is_noticed mailbox.drop_oldest detail/queue/impl/mailbox.hpp
  [[!line.is_noticed]]
  [[false]]
)
plant(close_forgets_the_line mailbox.expire detail/queue/bound.hpp
  [[    end->next = waiting;]]
  [[    end->next = nullptr;]]
)

# ---- the reply slot and its inbox ----

plant(decided_in_two_steps reply_slot.timeout detail/reply/slot_state.hpp
  [[word_.compare_exchange_weak(
              was, advance(was, by), std::memory_order_acq_rel, std::memory_order_acquire)]]
  [[(word_.store(advance(was, by), std::memory_order_release), true)]]
)
plant(gate_is_sought_in_the_slot server.reply_or_evict detail/reply/reply_slot.hpp
  [[gate.leave();]]
  [[context().leave();]]
)
plant_text(cancelled_undecided reply_slot.cancel detail/reply/reply_slot.hpp
  [[if (decide(decision::cancellation)) {
      error_ = aborted();]]
  [[if (decide(decision::cancellation) || ::preemption::is_planted("cancelled_undecided")) {
      error_ = aborted();]]
)
plant_text(left_in_two_steps reply_slot.inbox detail/reply/slot_state.hpp
  [[    return advance(word_.load(]]
  [[    if (::preemption::is_planted("left_in_two_steps")) {
      word was = advance(word_.load(std::memory_order_acquire), done);
      word_.store(was, std::memory_order_release);
      return was >= all_done;
    }
    return advance(word_.load(]]
)
plant(left_unseen reply_slot.inbox detail/reply/slot_state.hpp
  [[advance(word_.load(std::memory_order_acquire), done) >= all_done ||
           advance(word_.fetch_or(static_cast<word>(done), std::memory_order_acq_rel), done) >= all_done]]
  [[advance(word_.fetch_or(static_cast<word>(done), std::memory_order_relaxed), done) >= all_done]]
)
plant(signal_not_told reply_slot.signal detail/reply/operation.hpp
  [[one->on_cancel_ = nullptr;]]
  [[static_cast<void>(one);]]
)
plant(claimed_outside reply_slot.shutdown detail/reply/reply_slot.hpp
  [[!result.inside_ && !context().enter()]]
  [[!result.inside_ && (context().enter(), false)]]
)
plant(lost_in_its_initiation reply_slot.refused detail/reply/initiate.hpp
  [[      operation_->end_unregistered();]]
  [[      static_cast<void>(0);]]
)
plant(taken_and_not_completed reply_slot.completed_inside detail/reply/initiate.hpp
  [[one->complete_unregistered(inside.here())]]
  [[context_guard(one->context()) && one->complete_unregistered(inside.here())]]
)
plant(inbox_never_parks reply_slot.inbox detail/runtime/impl/lane.hpp
  [[inbox_.park()]]
  [[true]]
)

# ---- what is shared ----

plant(locked_without_asking spin_mutex detail/util/spin_mutex.hpp
  [[mutex_.try_lock()]]
  [[mutex_.try_lock() || true]]
)
plant(release_in_two_steps intrusive_ptr detail/util/intrusive_ptr.hpp
  [[count_.fetch_sub(1, std::memory_order_acq_rel) == 1]]
  [[(count_.store(count_.load() - 1), count_.load()) == 0]]
)
plant(release_unseen intrusive_ptr detail/util/intrusive_ptr.hpp
  [[count_.fetch_sub(1, std::memory_order_acq_rel)]]
  [[count_.fetch_sub(1, std::memory_order_relaxed)]]
)
plant_text(depot_unlocked depot detail/memory/block_cache.hpp
  [[std::lock_guard lock(shared.mutex);
      block* first =]]
  [[std::unique_lock lock(shared.mutex, std::defer_lock);
      if (!::preemption::is_planted("depot_unlocked")) {
        lock.lock();
      }
      block* first =]]
)

# ---- the gate ----

plant(enter_in_two_steps gate detail/runtime/context_state.hpp
  [[gate_.fetch_add(2, std::memory_order_acquire) & 1]]
  [[(gate_.load(std::memory_order_acquire) & 1) ? (gate_.fetch_add(2), true) : (gate_.fetch_add(2), false)]]
)
plant(turned_away_and_counted gate detail/runtime/context_state.hpp
  [[leave();
      return false;]]
  [[return false;]]
)
plant(leave_unseen gate detail/runtime/context_state.hpp
  [[gate_.fetch_sub(2, std::memory_order_release);]]
  [[gate_.fetch_sub(2, std::memory_order_relaxed);]]
)
plant(shutdown_does_not_wait gate detail/runtime/impl/context_state.hpp
  [[gate_.load(std::memory_order_acquire) != nobody_else]]
  [[(gate_.load(std::memory_order_acquire), false)]]
)

# ---- who runs a process ----

plant(returned_unparked process.submit detail/runtime/process.hpp
  [[mailbox_.park()]]
  [[mailbox_.park() || true]]
)
plant(submitted_outside process.evict detail/runtime/process.hpp
  [[is_taken = inside && submit_inside(item, inside.here());]]
  [[is_taken = submit_inside(item, inside.here());]]
)

# ---- whole servers ----

plant_text(claimed_after_the_lock server.drop_or_evict detail/server/end.hpp
  [[      won = slot->try_claim();
    }
]]
  [[      if (!::preemption::is_planted("claimed_after_the_lock")) {
        won = slot->try_claim();
      }
    }
    if (::preemption::is_planted("claimed_after_the_lock")) {
      won = slot->try_claim();
    }
]]
)
plant(closed_and_nobody_told server.call_or_stop detail/server/server_core.hpp
  [[result >= mailbox::result::full]]
  [[result >= mailbox::result::full && false]]
)
plant_text(name_freed_after_the_end server.name_or_stop detail/server/end.hpp
  [[while (registered) {]]
  [[while (registered && !::preemption::is_planted("name_freed_after_the_end")) {]]
)
plant_text(removed_by_one_alone server.remove_or_stop registry/registry.hpp
  [[if (ended) {]]
  [[if (ended || ::preemption::is_planted("removed_by_one_alone")) {]]
)

# ---- deadlock ----

plant(refused_and_still_set deadlock.closed_by_two detail/reply/deadlock.hpp
  [[from.edge().clear_in(looking);]]
  [[(void)0;]]
)
plant(cleared_without_asking deadlock.looked_at detail/runtime/wait_edge.hpp
  [[is_anybody_looking_.load(std::memory_order_seq_cst)]]
  [[false]]
)
plant(looks_and_says_nothing deadlock.looked_at detail/runtime/wait_edge.hpp
  [[is_anybody_looking_.store(true, std::memory_order_seq_cst);]]
  [[(void)0;]]
)
plant_text(looked_at_once_only deadlock.phantom detail/reply/deadlock.hpp
  [[std::size_t next = is_sure ? find(*server) : none;]]
  [[std::size_t next = is_sure || ::preemption::is_planted("looked_at_once_only") ? find(*server) : none;]]
)

# ---- relations and timers ----

plant(told_in_two_steps relation.both_end detail/server/relation.hpp
  [[state_.compare_exchange_strong(
        was, state::notified, std::memory_order_acq_rel, std::memory_order_acquire)]]
  [[state_.load(std::memory_order_acquire) == state::connected &&
        (state_.store(state::notified, std::memory_order_release), true)]]
)
plant(cut_in_two_steps relation.disconnect_or_end detail/server/relation.hpp
  [[state_.exchange(state::disconnected, std::memory_order_acq_rel)]]
  [[[&] {
    state was = state_.load(std::memory_order_acquire);
    state_.store(state::disconnected, std::memory_order_release);
    return was;
  }()]]
)
plant_text(tied_to_one_who_has_ended relation.connect_or_end detail/server/relations.hpp
  [[if (owner_.life_ == server_core::life::ended) {
      return addition::refused;
    }]]
  [[if (owner_.life_ == server_core::life::ended && !::preemption::is_planted("tied_to_one_who_has_ended")) {
      return addition::refused;
    }]]
)
plant(looks_in_its_own_list relation.both_link detail/server/relation.hpp
  [[first_.who->id() > second_.who->id()]]
  [[true]]
)
plant(leaves_the_other_half relation.both_link detail/server/relation.hpp
  [[twin->complete(twin->first_.who == older.who ? twin->first_ : twin->second_)]]
  [[true]]
)
plant(lists_what_is_over relation.link_or_end detail/server/relation.hpp
  [[state_.load(std::memory_order_acquire) != state::connected]]
  [[false]]
)
plant_text(one_signal_is_enough exit.two_signals detail/server/exit_signals.hpp
  [[one.older_ = newest_.load(std::memory_order_relaxed);]]
  [[one.older_ = newest_.load(std::memory_order_relaxed);
    if (one.older_ && ::preemption::is_planted("one_signal_is_enough")) {
      one.to_ = nullptr;
      return false;
    }]]
)
plant_text(fires_and_can_be_cancelled timer.cancel_or_fire detail/dispatch/timer_core.hpp
  [[erase(); // and the reference goes to expire()]]
  [[::preemption::is_planted("fires_and_can_be_cancelled") ? add_ref() : erase();]]
)
plant_text(ended_and_can_be_cancelled timer.cancel_or_end detail/dispatch/timer_core.hpp
  [[if (!is_alive_) {]]
  [[if (!is_alive_ && !::preemption::is_planted("ended_and_can_be_cancelled")) {]]
)

# ---- pg ----

plant(both_tell_at_once pg.order_of_changes registry/pg.hpp
  [[is_telling_ || outbox_.empty()]]
  [[outbox_.empty()]]
)

# ---- watchdog ----

plant(takes_what_is_held watchdog.woken detail/util/biased_lock.hpp
  [[held_.load(std::memory_order_seq_cst) == 0]]
  [[(held_.load(std::memory_order_seq_cst), true)]]
)
plant(waits_for_no_taker watchdog.woken detail/util/biased_lock.hpp
  [[wanted_.load(loads)]]
  [[(wanted_.load(loads), false)]]
)
plant(answered_twice watchdog.answered detail/runtime/impl/watchdog.hpp
  [[waiting.is_turn_local_.store(false, std::memory_order_relaxed);]]
  [[static_cast<void>(waiting);]]
)
