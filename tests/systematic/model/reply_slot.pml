/* SPDX-License-Identifier: BSL-1.0

   One answer: reply_slot.hpp's two halves, and all who race for the decision.

   What models what:
     decide, leave, write_, settle    reply_slot.hpp: decide, release_half, write_, deliver
     try_claim, deliver               reply_slot.hpp; context_state.hpp: enter, leave (the caller's gate)
     settle_fresh                     turn.hpp: register_one; context_state.hpp: register_and
     server, what the handler does    gen_server.hpp: conclude, handle_with_caller, settle_with_caller;
                                      open_calls.hpp: open, take_back; server_core.hpp: answer_at_end; relations.hpp: watch
     server, from ENDING on           end.hpp: begin_end, end_without_state, tell_list
     holder                           caller.hpp: finish, drop; open_calls.hpp: close, close_unanswered
     timer                            process.hpp: sweep; reply_slot.hpp: claim_expired, expire
     caller                           operation.hpp: run, discard, on_context_destroyed; reply_slot.hpp: cancel,
                                      stop_waiting; process.hpp: shutdown

   The server runs in the caller's context or in another. In the caller's it may have the call turn-local, in its
   turn's own list. An otpp::caller is held by a thread of a third context. The caller's context may be
   destroyed.

   Shown: it is decided once and delivered once, by who has decided, and after it was written; the caller
   reads what was written and nothing that is being written; the slot is freed once, and nobody touches it
   afterwards; nothing is delivered to a context that is gone; the caller is resumed or destroyed, never both,
   never neither.

   Left out: what is delivered where (a caller in a server's handler is resumed through that server's
   mailbox), memory orders, several slots in one list. What is done under a lock is one step where it touches
   nothing else. */

#define RUNNING 0
#define ENDING 1
#define ENDED 2

#define NOT_WRITTEN_DOWN 0
#define FRESH 1
#define ENROLLED 2
#define GONE 3

/* The slot. */
bool decided;
bool left;
bool freed;
byte values;
byte errors;
bool delivered;
bool cancellable;

/* Where it waits: the caller's room. */
bool room_lock;
byte membership;
bool has_deadline;
bool room_closed;
bool gate_closed;
byte inside;
bool context_gone;

/* The turn of the server's thread. */
bool same_context;
bool listed_fresh;

/* The server, under its room's lock. */
bool server_lock;
byte life;
bool is_open;
bool is_orphan;
bool handed_out;

bool held;        /* an otpp::caller is with the holder */
bool at_home;     /* the server's thread has returned from its turn */
bool stops;       /* the caller's context takes no more work */
bool sweeping;
byte ends;        /* how often the caller was resumed or destroyed */

#define TOUCH assert(!freed)

inline lock(which) { atomic { !which -> which = true } }
inline unlock(which) { which = false }

inline decide(won) {
#ifdef MUTANT_decides_without_exchange
  TOUCH;
  won = !decided;
  decided = true
#else
  atomic { TOUCH; won = !decided; decided = true }
#endif
}

inline write_value() { atomic { TOUCH; assert(!delivered); values++; assert(values == 1) } }
inline write_error() { atomic { TOUCH; assert(!delivered); errors++; assert(errors == 1) } }

inline leave() {
  if
  :: atomic { left -> TOUCH; freed = true }
  :: atomic { !left -> TOUCH };
#ifdef MUTANT_leaves_without_exchange
    left = true
#else
    atomic {
      TOUCH;
      if
      :: left -> freed = true
      :: else -> left = true
      fi
    }
#endif
  fi
}

inline hand_over() {
  atomic { TOUCH; assert(decided); assert(!delivered); assert(!context_gone); delivered = true }
}

/* By somebody outside the caller's context, who passes its gate, or inside. */
inline try_claim(is_inside, won) {
  won = true;
  if
  :: is_inside
  :: else ->
    atomic {
      TOUCH;
      if
#ifndef MUTANT_no_gate
      :: gate_closed -> won = false
      :: else -> inside++
#else
      :: true
#endif
      fi
    }
  fi;
  if
  :: won ->
    decide(won);
    atomic {
      if
      :: is_inside && listed_fresh -> /* answer_fresh, remove_fresh */
        listed_fresh = false;
        membership = (won -> NOT_WRITTEN_DOWN : membership)
      :: else -> assert(!listed_fresh) /* only its own thread may look at it */
      fi
    };
    if
    :: !won && !is_inside -> leave_gate(is_inside)
    :: else
    fi
  :: else
  fi
}

inline leave_gate(is_inside) {
  if
#ifdef MUTANT_no_gate
  :: true
#else
  :: !is_inside -> inside--
  :: else
#endif
  fi
}

inline deliver(is_inside) {
  hand_over();
  leave_gate(is_inside)
}

/* The server half's way to an answer, with `write` for what is answered. */
inline settle(is_inside, won, with_value) {
  if
#ifdef MUTANT_fresh_although_cancellable
  :: is_inside && listed_fresh ->
#else
  :: is_inside && listed_fresh && !cancellable ->
#endif
    atomic { listed_fresh = false; membership = NOT_WRITTEN_DOWN; assert(!decided); decided = true };
    write_answer(with_value);
    assert(!left);
    left = true;
    hand_over()
  :: else ->
    try_claim(is_inside, won);
    if
    :: !won ->
#ifdef MUTANT_loser_leaves_by_a_store
      left = true
#else
      leave()
#endif
    :: else ->
      write_answer(with_value);
      if
      :: is_inside -> /* the other half has yet to be resumed */
        atomic { TOUCH; assert(!left); left = true };
        deliver(is_inside)
      :: else ->
        deliver(is_inside);
        leave()
      fi
    fi
  fi
}

inline write_answer(with_value) {
  if
  :: with_value -> write_value()
  :: else -> write_error()
  fi
}

/* The server is released, or lets go of the call, while it is turn-local. */
inline settle_fresh() {
  if
  :: listed_fresh ->
    atomic { TOUCH; listed_fresh = false };
    atomic {
      !room_lock ->
      TOUCH;
      if
#ifdef MUTANT_enrolls_blindly
      :: !room_closed ->
#else
      :: !room_closed && membership == FRESH ->
#endif
        membership = ENROLLED;
        has_deadline = true
      :: else
      fi
    }
  :: else
  fi
}

proctype server() {
  bool won; bool has_last_reply; bool is_ready; bool ours; bool answers; bool settles; bool must_end;
  if
  :: settles = true; answers = true
  :: true -> /* answers in the end, having stopped with a value or thrown */
    if
    :: is_ready = true; atomic { TOUCH; values++ } /* prepare: before anybody has decided */
    :: true
    fi;
    has_last_reply = true;
    must_end = true
  :: true -> /* a stop() or join(): opened, it is a watcher */
    settle_fresh();
    atomic { !server_lock -> TOUCH; is_orphan = true; is_open = true };
    if
    :: decided -> /* forget_decided_watchers */
      atomic { !server_lock -> TOUCH; is_open = false };
      leave()
    :: must_end = true
    fi
  :: true -> /* hands out an otpp::caller */
    settle_fresh();
    atomic { !server_lock -> TOUCH; is_open = true; handed_out = true };
    held = true;
    if
    :: must_end = true /* the handler has thrown */
    :: true -> answers = false
    :: true -> answers = true
    fi;
    if
    :: must_end
    :: else -> /* take_back */
      lock(server_lock);
      if
      :: !handed_out -> unlock(server_lock)
      :: else ->
        handed_out = false;
        TOUCH;
        if
        :: is_orphan ->
          atomic { is_open = false; is_orphan = false; settles = true; unlock(server_lock) }
        :: !is_orphan && answers ->
#ifdef MUTANT_claims_outside_the_lock
          unlock(server_lock);
          try_claim(same_context, won);
#else
          try_claim(same_context, won);
          unlock(server_lock);
#endif
          if
          :: won -> write_value(); deliver(same_context)
          :: else
          fi
        :: else -> unlock(server_lock)
        fi
      fi
    fi
  fi;
  if
  :: settles -> settle(same_context, won, answers)
  :: else
  fi;
  settle_fresh(); /* its handler waits, or the turn is over */
  if
  :: !must_end -> skip /* lives forever */
  :: true ->
    atomic { !server_lock -> life = ENDING };
    atomic { !server_lock -> life = ENDED };
    lock(server_lock);
    if
    :: !is_open -> unlock(server_lock)
    :: else ->
      atomic { TOUCH; is_open = false; ours = is_orphan };
#ifdef MUTANT_claims_outside_the_lock
      unlock(server_lock);
      try_claim(same_context, won);
#else
      try_claim(same_context, won);
      unlock(server_lock);
#endif
      if
      :: won -> write_error(); deliver(same_context)
      :: else
      fi;
      if
      :: ours -> leave()
      :: else
      fi
    fi;
    if
    :: has_last_reply ->
      try_claim(same_context, won);
      if
      :: won ->
        if
        :: is_ready
        :: else -> write_error()
        fi;
        deliver(same_context)
      :: else
      fi;
      leave()
    :: else
    fi
  fi;
  at_home = true
}

proctype holder() {
  bool won; bool is_reply; bool settles;
end:
  held;
  if
  :: true -> /* replies */
    atomic { !server_lock -> TOUCH; is_open = false; handed_out = false };
    is_reply = true;
    settles = true
  :: true -> /* is dropped */
    atomic {
      !server_lock ->
      TOUCH;
      if
#ifdef MUTANT_dropped_while_its_handler_runs
      :: is_open && life == ENDING ->
#else
      :: is_open && (life == ENDING || handed_out) ->
#endif
        is_orphan = true
      :: else -> is_open = false; settles = true
      fi
    }
  fi;
  if
  :: settles -> settle(false, won, is_reply)
  :: else
  fi
}

/* A sweep, on another thread of the caller's context. */
proctype timer() {
  bool won;
end:
  atomic { has_deadline && !stops -> sweeping = true };
  lock(room_lock);
  if
  :: has_deadline ->
    atomic { TOUCH; has_deadline = false };
    decide(won);
    unlock(room_lock);
    if
    :: won -> write_error(); hand_over()
    :: else
    fi
  :: else -> unlock(room_lock)
  fi;
  sweeping = false
}

inline stop_waiting() {
  if
  :: membership != NOT_WRITTEN_DOWN ->
    atomic { !room_lock -> TOUCH; membership = GONE; has_deadline = false }
  :: else -> TOUCH
  fi
}

/* All that its executor runs of the caller, one after another. */
proctype caller() {
  bool won; bool has_cancelled;
  do
  :: !delivered && cancellable && !has_cancelled ->
    has_cancelled = true;
    decide(won);
    if
    :: won -> write_error(); hand_over()
    :: else
    fi
  :: delivered ->
    stop_waiting();
    atomic { TOUCH; assert(errors == 1 || values == 1); ends++ };
    leave();
    break
  :: atomic { !sweeping && (!same_context || at_home) -> stops = true; gate_closed = true };
    inside == 0;
    context_gone = true;
    atomic { !room_lock -> room_closed = true };
    if
    :: atomic { membership == ENROLLED -> TOUCH; membership = GONE; has_deadline = false };
      decide(won);
      if
      :: won -> ends++; leave()
      :: else -> assert(delivered)
      fi
    :: else -> assert(delivered)
    fi;
    if
    :: delivered -> stop_waiting(); ends++; leave() /* from an inbox, or the context's own queue */
    :: else
    fi;
    break
  od
}

init {
  atomic {
    if
    :: same_context = true; membership = FRESH; listed_fresh = true
    :: same_context = true; membership = ENROLLED; has_deadline = true
    :: membership = ENROLLED; has_deadline = true
    fi;
    if
    :: cancellable = true
    :: true
    fi;
    run server();
    run holder();
    run timer();
    run caller()
  };
  timeout;
  assert(ends == 1);
  assert(freed);
  assert(inside == 0 && !room_lock && !server_lock && !is_open && !listed_fresh)
}
