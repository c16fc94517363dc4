/* SPDX-License-Identifier: BSL-1.0

   A process, its mailbox, and who runs it: the threads of a pool.

   What models what:
     mpsc_queue.pml            detail/mpsc_queue.hpp, with one step for each access to the word
     enter, wake_and_leave     context_state.hpp: the gate; process.hpp: schedule
     send_from_outside         server_core.hpp: send; process.hpp: send_inside; mailbox.hpp: push
     submit_from_outside       process.hpp: submit (a task)
     post_activation           process.hpp; `posted` is how many activations the executor has
     run_loop, open, finish    loop.hpp: run_loop; end.hpp: end; mailbox.hpp: pop, close
     advance, accept           server_core.hpp; loop.hpp; mailbox.hpp: has_message, put_aside
     run_steps                 process.hpp
     turn_of_another           process.hpp: send_inside, place_of, claim, schedule; turn.hpp: run_next, ~turn
     init, from `stopped` on   process.hpp: shutdown, discard_work; end.hpp: on_context_destroyed; mailbox.hpp: bar

   One server lives in it. Its message `slow` has a coroutine handler, which sends the server one more message
   and then waits for a task from outside; `stop` ends the server; another process of the pool sends a message
   too. The pool's context may be destroyed at any time.

   Shown:
     - what is accepted is handled, bounced, run or discarded, and that once;
     - no two threads run the process, and at most one activation is posted, because there is memory for one;
     - no lost wake-up: when all is quiet, the process is parked with nothing queued and nothing put aside;
     - nothing is posted to a context that is being destroyed, and what is pushed after that is refused.

   Left out: limits (a mailbox with a limit does all this under its mutex), names and replies (the other
   models), timers, reference counts, the starter. What only the one who has the receiver's place looks at is
   one step with its neighbor. */

#define NODES 5
#define TASK 3
#define SLOW 4
#define STOP 5
#define MESSAGE 6
#define TO_SELF 7

#define NOWHERE 0
#define ACCEPTED 1
#define DONE 2
#define ON_ACCEPTED(node) assert(at[node] == NOWHERE); at[node] = ACCEPTED
#define MODEL_PART
byte at[NODES + 3]; /* ghost: where a message or task is */
#include "mpsc_queue.pml"

#define BUDGET 2

byte inside; /* the gate */
bool gate_closed;

byte posted;
byte senders;   /* that have not sent */
bool running;   /* ghost: a thread runs the process */
bool stopped;   /* the pool takes no more work */
byte at_work;   /* threads of the pool */
bool destroyed; /* nobody can be inside any more */
bool another_has_run;

/* The server's. */
bool closed;
bool busy;
bool stopping;
bool loop_ready = true;
bool awaits_message;
bool awaits_job;
byte aside;
byte last_aside;

inline done(node) {
  assert(at[node] == ACCEPTED);
  at[node] = DONE;
  node = NONE
}

inline post_activation() {
  atomic {
    assert(!destroyed);
    assert(posted == 0);
    posted++
  }
}

/* ---- senders ---- */

/* Who is refused at the gate or by `closed` has left again already: nobody could tell. */
inline enter(refused) {
  atomic {
    if
    :: gate_closed || refused -> senders--; goto gone
    :: else ->
#ifndef MUTANT_no_gate
      inside++
#else
      skip
#endif
    fi
  }
}

inline wake_and_leave(result) {
  atomic {
    if
#ifdef MUTANT_wakes_always
    :: result != REFUSED -> post_activation()
#else
    :: result == WOKE -> post_activation()
#endif
    :: else
    fi;
    result = QUEUED;
#ifndef MUTANT_no_gate
    inside--;
#endif
    senders--
  }
}

proctype send_from_outside(byte node) {
  byte seen; byte result;
  enter(closed);
#ifdef MUTANT_outsider_pushes_as_receiver
  push_owned(node, seen, result);
#else
  push(node, seen, result);
#endif
  wake_and_leave(result);
gone: skip
}

proctype submit_from_outside() {
  byte seen; byte result;
end:
  atomic { busy -> senders++ }; /* what the handler waits for has happened */
  enter(false);
  push(TASK, seen, result);
  wake_and_leave(result);
gone: skip
}

/* ---- the receiver ---- */

/* Takes a message, if one is in front. */
inline pop_message(seen, node) {
  if
  :: atomic { aside != NONE ->
      node = aside; aside = next[node]; next[node] = NONE;
      last_aside = (aside == NONE -> NONE : last_aside)
    }
  :: else ->
    look(seen, node);
    if
    :: front != NONE && front != TASK -> pop(seen, node)
    :: else
    fi
  fi
}

/* Takes all messages, of which each hears of the end; tasks stay. */
inline bounce_messages(seen, node) {
  atomic {
    if
    :: IS_NODE(head) -> seen = head; head = NONE; take_in(seen, node)
    :: else
    fi;
    d_step {
      do
      :: aside != NONE -> node = aside; aside = next[node]; next[node] = NONE; done(node)
      :: else -> break
      od;
      last_aside = NONE;
      seen = NONE; /* becomes the task that stays: there is but one */
      do
      :: front != NONE ->
        node = front; front = next[node]; next[node] = NONE;
        if
        :: node == TASK -> seen = node; node = NONE
        :: else -> done(node)
        fi
      :: else -> break
      od;
      front = seen; back = seen; seen = NONE
    }
  }
}

inline run_loop(seen, node, ok, budget) {
  do
  :: atomic { busy -> awaits_job = true; break }
  :: atomic { !busy && stopping -> stopping = false; closed = true };
    bounce_messages(seen, node);
    break
  :: atomic { !busy && !stopping && budget == 0 -> loop_ready = true; break }
  :: atomic { !busy && !stopping && budget > 0 ->
      pop_message(seen, node);
      if
      :: node == NONE -> awaits_message = true; break
      :: node == SLOW -> budget--; done(node)
      :: node == STOP -> budget--; done(node); stopping = true; goto opened
      :: node > STOP -> budget--; done(node); goto opened
      fi
    };
    push_owned(TO_SELF, seen, ok);
    atomic { assert(ok != WOKE); ok = false; busy = true };
opened: skip
  od
}

/* Goes to did_nothing if there is nothing to do. */
inline advance(seen, node, ok, budget) {
  atomic {
    ok = loop_ready;
    if
    :: !ok && awaits_message ->
#ifndef MUTANT_forgets_what_is_aside
      if
      :: aside != NONE -> ok = true
      :: else ->
#endif
        look(seen, node);
        ok = (front != NONE && front != TASK)
#ifndef MUTANT_forgets_what_is_aside
      fi
#endif
    :: else
    fi;
    if
    :: ok -> loop_ready = false; awaits_message = false; ok = false
    :: else -> goto did_nothing
    fi
  };
  run_loop(seen, node, ok, budget)
}

inline accept(node) {
  if
#ifndef MUTANT_late_message_put_aside
  :: closed -> done(node)
  :: else ->
#else
  :: true ->
#endif
    next[node] = NONE;
    if
    :: aside == NONE -> aside = node
    :: else -> next[last_aside] = node
    fi;
    last_aside = node;
    node = NONE
  fi
}

inline run_steps(seen, node, ok, budget) {
  atomic { assert(in_place); assert(!running); running = true };
  do
  :: atomic { budget == 0 ->
      running = false;
#ifndef MUTANT_spent_turn_posts_nothing
      post_activation();
#endif
      break
    }
  :: budget > 0 ->
    advance(seen, node, ok, budget);
#ifdef MUTANT_ended_process_is_not_run
    if
    :: closed -> running = false; break
    :: else
    fi;
#endif
    goto did_something;
did_nothing:
    atomic {
      pop(seen, node);
      if
      :: node == NONE -> running = false
      :: node == TASK ->
        budget--;
        done(node);
        busy = false;
        loop_ready = awaits_job;
        awaits_job = false;
        goto did_something
      :: node > TASK -> budget--; accept(node); goto did_something
      fi
    };
    park(ok);
    atomic {
      if
      :: ok -> ok = false; budget = 0; break
      :: else -> assert(!running); running = true
      fi
    };
did_something: skip
  od
}

/* A turn that is there for another process, which sends a message to this one. Without a budget in the end
   there is nothing to run. */
inline turn_of_another(seen, node, ok, budget) {
  if
  :: closed
  :: else ->
    claim(seen, ok);
    if
    :: ok ->
      push_owned(MESSAGE, seen, ok);
      atomic { assert(ok != WOKE); ok = true } /* run_next */
    :: else ->
      push(MESSAGE, seen, ok);
      ok = (ok == WOKE) /* schedule: run_next */
    fi;
    if
    :: ok ->
      ok = false;
      if
      :: budget = 1
      :: true -> /* the turn is spent */
#ifndef MUTANT_turn_forgets_whom_it_claimed
        post_activation()
#endif
      fi
    :: else
    fi
  fi
}

/* One of the two begins with a turn for another process. */
proctype thread(bool is_for_another) {
  byte seen; byte node; byte ok; byte budget;
end:
  do
  :: atomic { !stopped && !is_for_another && posted > 0 -> posted--; at_work++; budget = BUDGET };
work:
    run_steps(seen, node, ok, budget);
    at_work--
  :: atomic { !stopped && is_for_another -> is_for_another = false; another_has_run = true; at_work++ };
    turn_of_another(seen, node, ok, budget);
    if
    :: budget > 0 -> goto work
    :: else -> at_work--
    fi
  :: stopped -> break
  od
}

inline discard_work(seen, node) {
  bar(seen, node);
  d_step {
    do
    :: front != NONE -> node = front; front = next[node]; next[node] = NONE; done(node)
    :: else -> break
    od;
    back = NONE
  }
}

/* Past a gate that was left open. */
proctype latecomer(byte node) {
  byte seen; byte result;
  push(node, seen, result);
  assert(result == REFUSED)
}

init {
  byte seen; byte node;
  atomic {
    head = NONE; /* whoever makes it has the receiver's place, and posts it: settle_in */
    in_place = true;
    posted = 1;
    senders = 2;
    run thread(false);
    run thread(true);
    run send_from_outside(SLOW);
    run send_from_outside(STOP);
    run submit_from_outside()
  };
  /* Those who run the context come home, at any time, and it is destroyed. */
  atomic {
    at_work == 0 -> stopped = true;
    if
    :: senders == 0 && (!busy || at[TASK] != NOWHERE) && posted == 0 && another_has_run -> /* all is quiet */
      assert(head == PARKED && front == NONE && aside == NONE);
      assert(closed && !busy)
    :: else
    fi;
    gate_closed = true
  };
  atomic { inside == 0 -> destroyed = true };
  atomic {
    if
    :: !closed ->
      closed = true;
      bounce_messages(seen, node);
      discard_work(seen, node)
    :: else
    fi;
    if
    :: posted > 0 -> posted = 0; discard_work(seen, node)
    :: else
    fi
  };
  timeout;
  assert(at[TASK] != ACCEPTED);
  assert(at[SLOW] != ACCEPTED);
  assert(at[STOP] != ACCEPTED);
  assert(at[MESSAGE] != ACCEPTED);
  assert(at[TO_SELF] != ACCEPTED);
  assert(front == NONE && aside == NONE && posted == 0 && !running);
  assert(head == BARRED || head == PARKED && closed);
  if
  :: head == BARRED -> run latecomer(STOP)
  :: else
  fi
}
