/* SPDX-License-Identifier: BSL-1.0

   detail/mpsc_queue.hpp: one word that says "parked", "null" (awake and empty), "barred" or which node is the
   newest. Each inline below is the function of the same name, with one step for each access to `head_`.

   Shown, for two producers, one who claims, and a consumer that bars the queue in the end:
     - nobody but the one consumer is in its place, and it is woken once for each time that it has parked;
     - what is accepted comes out once, in the order in which it was accepted (push_owned among it);
     - when all is quiet, nothing is queued and the consumer is parked, or the queue is barred;
     - what comes after the bar is refused. Pushes race the bar here, although a mailbox's gate forbids it.

   Left out: memory orders (spin's memory is sequentially consistent; the thread sanitizer looks at the
   orders), compare_exchange_weak's false alarms (they only try again), and the storage of the wake-up.
   What no other thread can see yet, or any more, is one step with its neighbor.

   mailbox.pml uses the inlines too, and defines MODEL_PART to leave out the rest. */

#ifndef NODES
#define NODES 5
#endif
#ifndef ON_ACCEPTED
#define ON_ACCEPTED(node) tickets++; ticket[node] = tickets
#endif

#define NONE 0 /* what C++ calls null */
#define PARKED 1
#define BARRED 2
#define FIRST_NODE 3
#define IS_NODE(word) (word >= FIRST_NODE)

#define QUEUED 0
#define WOKE 1
#define REFUSED 2

byte head;
byte next[NODES + FIRST_NODE];
byte front; /* the consumer's own: the batch that it has taken */
byte back;
bool in_place; /* ghost: somebody is the consumer, or has been told to wake it */
byte tickets;  /* ghost: how many were accepted */
byte ticket[NODES + FIRST_NODE];

/* `seen` is the caller's local variable. */
inline push(node, seen, result) {
  atomic { seen = head; result = REFUSED };
  do
  :: atomic { seen == BARRED -> seen = NONE; break }
  :: else ->
    atomic {
#ifdef MUTANT_push_stores
      if
      :: true ->
#else
      next[node] = (seen == PARKED -> NONE : seen);
      if
      :: head != seen -> seen = head
      :: else ->
#endif
        head = node;
        ON_ACCEPTED(node);
        if
        :: seen == PARKED ->
          assert(!in_place); /* one waker for each time that it parked */
          in_place = true;
          result = WOKE
        :: else -> result = QUEUED
        fi;
        seen = NONE;
        break
      fi
    }
  od
}

inline claim(seen, result) {
  atomic { seen = head; result = false };
  if
  :: seen == PARKED ->
    atomic {
      if
#ifdef MUTANT_claim_stores
      :: true ->
#else
      :: head == PARKED ->
#endif
        head = NONE;
        assert(!in_place);
        in_place = true;
        result = true
      :: else
      fi;
      seen = NONE
    }
  :: else -> seen = NONE
  fi
}

/* Appends `node` to the batch. */
inline append(node) {
  next[node] = NONE;
  if
  :: front == NONE -> front = node
  :: else -> next[back] = node
  fi;
  back = node
}

/* Links what has been taken, oldest first, behind the batch. `node` is a local variable, as `seen`. */
inline take_in(seen, node) {
  d_step {
    node = NONE;   /* the oldest so far */
    in_hand = seen; /* becomes the last */
    do
    :: seen == NONE -> break
    :: else -> older = next[seen]; next[seen] = node; node = seen; seen = older
    od;
    if
    :: in_hand == NONE
    :: else ->
      if
      :: front == NONE -> front = node
      :: else -> next[back] = node
      fi;
      back = in_hand
    fi;
    in_hand = NONE;
    older = NONE;
    node = NONE
  }
}
hidden byte in_hand;
hidden byte older;

inline push_owned(node, seen, result) {
  if
#ifdef MUTANT_push_owned_does_not_look
  :: true ->
#else
  :: head != NONE -> push(node, seen, result)
  :: atomic { head == NONE ->
#endif
    ON_ACCEPTED(node);
    result = QUEUED
#ifndef MUTANT_push_owned_does_not_look
    };
#endif
    d_step { append(node) }
  fi
}

/* front(): takes a batch if there is none. */
inline look(seen, node) {
  if
  :: front == NONE ->
#ifdef MUTANT_take_loads_and_stores
    seen = head;
    if
    :: IS_NODE(seen) -> head = NONE; take_in(seen, node)
    :: else
    fi
#else
    if
    :: atomic { IS_NODE(head) -> seen = head; head = NONE; take_in(seen, node) }
    :: else
    fi
#endif
  :: else
  fi
}

inline pop(seen, node) {
  look(seen, node);
  atomic {
    node = front;
    if
    :: front != NONE -> front = next[front]; next[node] = NONE
    :: else
    fi;
    if
    :: front == NONE -> back = NONE
    :: else
    fi
  }
}

inline park(result) {
  result = false;
  if
  :: front == NONE ->
    atomic {
      if
#ifdef MUTANT_park_stores
      :: true ->
#else
      :: head == NONE ->
#endif
        head = PARKED;
        in_place = false;
        result = true
      :: else
      fi
    }
  :: else
  fi
}

/* Leaves what was in it in the batch. */
inline bar(seen, node) {
#ifdef MUTANT_bar_takes_first
  atomic {
    seen = (IS_NODE(head) -> head : NONE);
    head = (head == BARRED -> BARRED : NONE);
    take_in(seen, node)
  };
  head = BARRED
#else
  atomic { seen = (IS_NODE(head) -> head : NONE); head = BARRED; take_in(seen, node) }
#endif
}

#ifndef MODEL_PART

byte popped; /* ghost */
byte wakes;
bool out[NODES + FIRST_NODE];
bool barred;

/* What whoever is in the consumer's place does with what it pops. */
inline check_out(node) {
  atomic {
    popped++;
    assert(ticket[node] == popped); /* none lost, none twice, none overtaken */
    ticket[node] = 0;
    out[node] = true;
    node = NONE
  }
}

/* Until it has parked, or barred the queue, which may be at any time. */
inline consume(seen, node, ok, own) {
  assert(in_place);
  do
  :: own != NONE -> /* pushes to itself */
    push_owned(own, seen, ok);
    assert(ok != WOKE);
    own = NONE;
    ok = false
  :: true ->
    pop(seen, node);
    if
    :: node != NONE -> check_out(node)
    :: else ->
      park(ok);
      if
      :: ok -> ok = false; break
      :: else
      fi
    fi
  :: !barred ->
    barred = true;
    bar(seen, node);
    do
    :: front != NONE -> pop(seen, node); check_out(node)
    :: else -> break
    od;
    break
  od
}

proctype producer(byte node; byte again) {
  byte seen; byte result;
  push(node, seen, result);
  if
  :: atomic { result == WOKE -> wakes++; assert(wakes == 1) }
  :: else
  fi;
  if
  :: again != node -> push(again, seen, result) /* in order behind the first */
  :: atomic { again == node && out[node] -> out[node] = false }; /* its memory is used again */
    push(node, seen, result)
  :: again == node && barred -> result = REFUSED
  fi;
  if
  :: atomic { result == WOKE -> wakes++; assert(wakes == 1) }
  :: else
  fi
}

proctype consumer() {
  byte seen; byte node; byte ok; byte own = 3;
end:
  do
  :: atomic { wakes > 0 -> wakes-- } -> consume(seen, node, ok, own)
  od
}

proctype claimer() {
  byte seen; byte node; byte ok; byte own = NONE;
  claim(seen, ok);
  if
  :: ok ->
    push_owned(4, seen, ok);
    assert(ok != WOKE);
    ok = false;
    consume(seen, node, ok, own)
  :: else
  fi
}

proctype latecomer(byte node) {
  byte seen; byte result;
  push(node, seen, result);
  assert(result == REFUSED)
}

init {
  atomic {
    head = PARKED;
    run consumer();
    run claimer();
    run producer(5, 5);
    run producer(6, 7)
  };
  timeout;
  assert(popped == tickets);
  assert(front == NONE && wakes == 0);
  assert(head == (barred -> BARRED : PARKED));
  if
  :: barred -> run latecomer(3)
  :: else
  fi
}

#endif
