/* SPDX-License-Identifier: BSL-1.0

   One name, and the servers that want it.

   What models what:
     add, find, remove     registry.hpp, the functions of these names; server_core.hpp: hold_name,
                           release_name
     wait_for_it           registry.hpp: wait
     free_names            end.hpp: end_without_state, where the names are freed; registry.hpp: ~held
     server                start_request.hpp: launch; end.hpp: begin_end, end, end_without_state, in this order
     starter, stopper      start_request.hpp: initiate_start; stop_request.hpp, and a start of the same name right after it
     registrar, remover    registry.hpp: register_name, unregister_name
     observer              a call to the server that has the name, until it hears of the end

   The table is under the registry's lock, each server's list of names under its room's; the one is never held
   over user code, and the other may be taken inside it.

   Shown: two servers that were started with the name do not overlap, from init until the state is destroyed;
   whoever has observed a server's end does not find it by name; a start after a stop's reply is not refused
   because of the server that was stopped; the end of an old server leaves the name to the new one; a server
   that was registered while it ended leaves nothing in the table; who waits for the name is told.

   Left out: several names (a list of this), other registries, reference counts, the registry's own end, and
   unregister's license: who takes the name from a server that lives may have two of them. */

#define SERVERS 3
#define NOBODY 0

bool table_lock;
byte table; /* who has the name */
bool waiting;
bool found;

bool room_lock; /* one for all: the servers are in one context */
byte holds[SERVERS + 1];
bool names_freed[SERVERS + 1];

bool alive[SERVERS + 1];
bool stop_wanted[SERVERS + 1];
bool closed[SERVERS + 1];
bool told[SERVERS + 1];
bool unregistered[SERVERS + 1]; /* ghost */

inline find(who) { atomic { !table_lock -> who = table } }

/* `in_the_way` is who must not be there any more. */
inline add(id, ok, in_the_way) {
#ifdef MUTANT_looks_before_it_locks
  ok = (table == NOBODY);
  atomic { !table_lock -> table_lock = true };
#else
  atomic { !table_lock -> table_lock = true; ok = (table == NOBODY) };
#endif
  if
  :: !ok -> atomic { assert(in_the_way == NOBODY || table != in_the_way); table_lock = false }
  :: else ->
    atomic { !room_lock ->
      table = id;
      if
#ifdef MUTANT_registers_the_ended
      :: false
#else
      :: names_freed[id] -> ok = false; table = NOBODY
#endif
      :: else -> holds[id]++
      fi
    };
    atomic {
      found = found || ok && waiting; /* take_waiting_for, name_found */
      waiting = waiting && !ok;
      table_lock = false
    }
  fi
}

/* What a name's holder does when it goes. */
inline let_go(id) {
  atomic { !table_lock ->
    if
#ifdef MUTANT_erases_without_comparing
    :: true -> table = NOBODY
#else
    :: table == id -> table = NOBODY
    :: else
#endif
    fi
  }
}

inline free_names(id, taken) {
#ifdef MUTANT_frees_before_it_says_so
  atomic { !room_lock -> taken = holds[id]; holds[id] = 0 };
#else
  atomic { !room_lock -> names_freed[id] = true; taken = holds[id]; holds[id] = 0 };
#endif
  do
  :: taken > 0 -> let_go(id); taken--
  :: else -> break
  od;
#ifdef MUTANT_frees_before_it_says_so
  atomic { !room_lock -> names_freed[id] = true };
#endif
}

inline destroy_state(id) { alive[id] = false }

proctype server(byte id) {
  byte taken;
  atomic { /* init */
    assert(unregistered[id] || unregistered[1] || !alive[1]);
    assert(unregistered[id] || unregistered[2] || !alive[2]);
    assert(unregistered[id] || unregistered[3] || !alive[3]);
    alive[id] = true
  };
  if
  :: true -> /* until it is stopped */
end:
    stop_wanted[id]
  :: true /* ends by itself */
  fi;
#ifdef MUTANT_frees_the_name_before_the_state
  free_names(id, taken);
  destroy_state(id);
  closed[id] = true;
#else
  destroy_state(id); /* after terminate */
#ifdef MUTANT_frees_the_name_after_the_mailbox
  closed[id] = true;
  free_names(id, taken);
#else
#ifndef MUTANT_frees_the_name_after_the_reply
  free_names(id, taken);
#endif
  closed[id] = true; /* whoever has sent something is told */
#endif
#endif
  told[id] = true; /* whoever stopped it, or watches, is told */
#ifdef MUTANT_frees_the_name_after_the_reply
  free_names(id, taken);
#endif
}

proctype starter(byte id) {
  bool ok;
  add(id, ok, NOBODY);
  if
  :: ok -> run server(id)
  :: else
  fi
}

proctype stopper() {
  byte who; byte again; bool ok;
  find(who);
  if
  :: who != NOBODY ->
    stop_wanted[who] = true;
    told[who];
    find(again);
    atomic { assert(again != who); again = NOBODY };
    add(3, ok, who); /* a restart */
    who = NOBODY;
    if
    :: ok -> run server(3)
    :: else
    fi
  :: else
  fi
}

proctype observer() {
  byte who; byte again;
  find(who);
  if
  :: who != NOBODY ->
end:
    closed[who];
    find(again);
    atomic { assert(again != who); again = NOBODY; who = NOBODY }
  :: else
  fi
}

proctype registrar() {
  byte who; bool ok;
  find(who);
  if
  :: who != NOBODY -> add(who, ok, NOBODY); atomic { who = NOBODY; ok = false }
  :: else
  fi
}

proctype remover() {
  byte who;
  atomic { !table_lock -> who = table; table = NOBODY; unregistered[who] = true };
  if
  :: who != NOBODY ->
    atomic { !room_lock -> holds[who] = (holds[who] > 0 -> holds[who] - 1 : 0); who = NOBODY }
  :: else
  fi
}

proctype wait_for_it() {
#ifdef MUTANT_waits_without_looking_again
  bool there;
  there = (table != NOBODY);
  atomic { !table_lock ->
    if
    :: there -> found = true
#else
  atomic { !table_lock ->
    if
    :: table != NOBODY -> found = true
#endif
    :: else -> waiting = true
    fi
  }
}

init {
  atomic {
    table = 1; /* runs already */
    holds[1] = 1;
    run server(1);
    run observer();
    run registrar();
    run stopper();
    run wait_for_it();
    run starter(2);
    run remover()
  };
  timeout;
  assert(!table_lock && !room_lock);
  assert(table == NOBODY || alive[table]);
  assert(!(waiting && table != NOBODY));
  assert(found || waiting);
  assert(holds[1] == (table == 1 -> 1 : 0));
  assert(holds[2] == (table == 2 -> 1 : 0));
  assert(holds[3] == (table == 3 -> 1 : 0))
}
