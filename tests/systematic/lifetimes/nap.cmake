# cmake -D FROM=<include dir> -D TO=<folder> [-D MUTANTS=<file>] -P nap.cmake
#
# Copies the library's headers, with a nap (nap.hpp) where threads race: after a lock is taken and before it is
# released, inside the gate, around the queue's one word, between a decision, its answer and its delivery, and
# where a context is closed. It is the same code with wider windows.
#
# Each text must stand in its header exactly once, so that a header that changes cannot lose its naps unseen.
cmake_minimum_required(VERSION 3.23)

set(changed "")

# replace(<header> <original> <text with a nap>)
function(replace header original text)
  if(NOT header IN_LIST changed)
    file(READ "${FROM}/otpp/${header}" "text_${header}")
    list(APPEND changed ${header})
  endif()
  string(FIND "${text_${header}}" "${original}" first)
  string(FIND "${text_${header}}" "${original}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR
      "This does not stand once in include/otpp/${header}:\n\n${original}\n\n"
      "The header has changed: find the new place in tests/systematic/lifetimes/nap.cmake."
    )
  endif()
  string(REPLACE "${original}" "${text}" "text_${header}" "${text_${header}}")
  set(changed "${changed}" PARENT_SCOPE)
  set("text_${header}" "${text_${header}}" PARENT_SCOPE)
endfunction()

# nap_before(<header> <original>), nap_after(<header> <original>): it is a whole statement, or several.
macro(nap_before header original)
  replace(${header} "${original}" "::lifetimes::nap(); ${original}")
endmacro()
macro(nap_after header original)
  replace(${header} "${original}" "${original} ::lifetimes::nap();")
endmacro()

# ---- faults: with or without is decided when the program runs ----

function(plant number name header original mutated)
  if("${original}" MATCHES "[;}]$")
    set(both "if (::lifetimes::is_planted(${number})) { ${mutated} } else { ${original} }")
  else()
    set(both "(::lifetimes::is_planted(${number}) ? (${mutated}) : (${original}))")
  endif()
  replace(${header} "${original}" "${both}")
  set(changed "${changed}" PARENT_SCOPE)
  set("text_${header}" "${text_${header}}" PARENT_SCOPE)
endfunction()

macro(plant_text number name header original both)
  replace(${header} "${original}" "${both}")
endmacro()

if(MUTANTS)
  include("${MUTANTS}")
endif()

# ---- locks ----

nap_after(detail/util/spin_mutex.hpp "if (mutex_.try_lock()) {")
nap_after(detail/util/spin_mutex.hpp "    mutex_.lock();")
nap_before(detail/util/spin_mutex.hpp "mutex_.unlock();")

# ---- the gate ----

replace(detail/runtime/context_state.hpp
  "    return true;
  }

  void leave() noexcept {"
  "    ::lifetimes::nap();
    return true;
  }

  void leave() noexcept { ::lifetimes::nap();"
)
nap_after(detail/runtime/impl/context_state.hpp "\n  leave_all();")
nap_after(detail/runtime/impl/context_state.hpp "\n  work = {};")
nap_before(detail/runtime/impl/context_state.hpp "turn on_this_thread(here);\n  expired.expire_all();")
nap_before(detail/runtime/impl/context_state.hpp "sweep(here);\n}")
nap_after(detail/runtime/impl/context_state.hpp "lane_ptr made(new lane(intrusive_ptr<context_state>(this), executor));")
nap_before(detail/runtime/impl/context_state.hpp "task_list(static_cast<task*>(left)).discard();")
replace(detail/runtime/context_state.hpp
  "\n  asio::execution_context* context_;"
  "\n  [[no_unique_address]] ::lifetimes::counted_context counted_;\n  asio::execution_context* context_;"
)

# ---- the queue ----

nap_after(detail/queue/mpsc_queue.hpp "node->next = head == parked() ? nullptr : head;")
nap_before(detail/queue/mpsc_queue.hpp "return head == parked() ? push_result::woke : push_result::queued;")
nap_before(detail/queue/mpsc_queue.hpp "return head == parked() &&\n")
nap_before(detail/queue/mpsc_queue.hpp "Node* expected = nullptr;\n")
nap_before(detail/queue/mpsc_queue.hpp "Node* head = head_.exchange(barred(), std::memory_order_seq_cst);")
nap_before(detail/queue/mpsc_queue.hpp "Node* newest = head_.exchange(nullptr, std::memory_order_seq_cst);")
nap_before(detail/queue/mpsc_queue.hpp "number = weigh(head_.load(std::memory_order_seq_cst), most);")

# ---- answers ----

nap_after(detail/reply/slot_state.hpp "while (advance(was, by) != was) {")
nap_before(detail/reply/slot_state.hpp "// If the other half is released no other thread reads the word")
nap_before(detail/reply/reply_slot.hpp "result.won_ = decide(decision::server_half);")
replace(detail/reply/reply_slot.hpp
  "bool is_taken = deliver(won.here_);"
  "::lifetimes::nap(); bool is_taken = deliver(won.here_); ::lifetimes::nap();"
)
nap_before(detail/reply/reply_slot.hpp "if (state_.release(done)) {")

# ---- lanes and processes ----

nap_after(detail/runtime/impl/lane.hpp "if (inbox_.push(&item) != push_result::woke) {\n    return;\n  }")
nap_before(detail/runtime/impl/lane.hpp "turn on_this_thread(*taken);")
nap_before(detail/runtime/impl/lane.hpp "if (!context->enter()) {")
nap_after(detail/runtime/process.hpp "intrusive_ptr<process> keep(this);")
nap_after(detail/runtime/process.hpp "intrusive_ptr<lane> here = who->lane_;")
nap_before(detail/runtime/process.hpp "if (mailbox_.park()) {")

# ---- the watchdog ----

nap_after(detail/runtime/impl/watchdog.hpp "      lock.unlock();")
nap_before(detail/runtime/impl/watchdog.hpp "watched.lock_.give_back();")
nap_after(detail/util/biased_lock.hpp "wanted_.store(true, std::memory_order_seq_cst);")

file(GLOB_RECURSE headers RELATIVE "${FROM}/otpp" "${FROM}/otpp/*.hpp")
foreach(header IN LISTS headers)
  if(header IN_LIST changed)
    # In the place of an empty line, so that the lines of a trace are the header's own.
    string(
      REPLACE "#pragma once\n\n" "#pragma once\n#include \"systematic/lifetimes/nap.hpp\"\n" text
              "${text_${header}}"
    )
  else()
    file(READ "${FROM}/otpp/${header}" text)
  endif()
  set(old "")
  if(EXISTS "${TO}/otpp/${header}")
    file(READ "${TO}/otpp/${header}" old)
  endif()
  if(NOT text STREQUAL old)
    file(WRITE "${TO}/otpp/${header}" "${text}")
  endif()
endforeach()
