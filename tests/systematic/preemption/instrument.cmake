# cmake -D FROM=<include dir> -D TO=<folder> [-D MUTANTS=<file>] -P instrument.cmake
#
# Copies the library's headers, with the explorer's atomic, mutex and yield where they have those of std: the
# seam of the preemption tests. The library itself has none, so that it costs nothing and cannot be left on,
# and a program has either these headers or the library's own in its include path, never both.
#
# What the copy changes is listed here, and whatever else a header may synchronize with is an error, so that
# nothing is explored without being instrumented.
cmake_minimum_required(VERSION 3.23)

set(planted "")
function(plant name scenario header original mutated)
  if("${original}" MATCHES "[;}]$")
    set(both "if (::preemption::is_planted(\"${name}\")) { ${mutated} } else { ${original} }")
  else()
    set(both "(::preemption::is_planted(\"${name}\") ? (${mutated}) : (${original}))")
  endif()
  plant_text(${name} ${scenario} ${header} "${original}" "${both}")
  set(planted "${planted}" PARENT_SCOPE)
  set("text_${header}" "${text_${header}}" PARENT_SCOPE)
endfunction()

function(plant_text name scenario header original both)
  if(NOT header IN_LIST planted)
    file(READ "${FROM}/otpp/${header}" "text_${header}")
    list(APPEND planted ${header})
  endif()
  string(FIND "${text_${header}}" "${original}" first)
  string(FIND "${text_${header}}" "${original}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "mutant ${name}: this does not stand once in ${header}:\n${original}")
  endif()
  string(REPLACE "${original}" "${both}" text "${text_${header}}")
  set(planted "${planted}" PARENT_SCOPE)
  set("text_${header}" "${text}" PARENT_SCOPE)
endfunction()

if(MUTANTS)
  include("${MUTANTS}")
endif()

file(GLOB_RECURSE headers RELATIVE "${FROM}/otpp" "${FROM}/otpp/*.hpp")
# Always on one thread; with a thread of its own; with sockets, which no scenario has.
list(FILTER headers EXCLUDE REGEX "^(testing|observer|dist)")
foreach(header IN LISTS headers)
  if(header STREQUAL "detail/util/topic.hpp") # nobody subscribes in a scenario
    configure_file("${FROM}/otpp/${header}" "${TO}/otpp/${header}" COPYONLY)
    continue()
  endif()
  if(header IN_LIST planted)
    set(text "${text_${header}}")
  else()
    file(READ "${FROM}/otpp/${header}" text)
  endif()

  # In the place of an empty line, so that the lines of a trace are the header's own.
  string(
    REPLACE "#pragma once\n\n" "#pragma once\n#include \"systematic/preemption/instrumented.hpp\"\n" text "${text}"
  )
  # Numbers by which the library decides nothing, or which no scenario changes: no order of theirs matters.
  if(header MATCHES "/(watchers|counters).hpp$")
    string(REPLACE "std::atomic<" "preemption::unexplored<" text "${text}")
  endif()
  string(REPLACE "std::atomic<std::uint32_t> held_" "preemption::unexplored<std::uint32_t> held_" text "${text}")
  string(REPLACE "std::atomic<counters*> counters_" "preemption::unexplored<counters*> counters_" text "${text}")
  string(REPLACE "std::atomic<" "preemption::atomic<" text "${text}")
  string(REPLACE "std::mutex" "preemption::mutex" text "${text}")
  string(REPLACE "std::shared_mutex" "preemption::shared_mutex" text "${text}")
  string(REPLACE "std::this_thread::yield" "preemption::yield" text "${text}")
  string(
    REPLACE "void pause_briefly() noexcept {" "void pause_briefly() noexcept { preemption::pause();"
    text "${text}"
  )
  # Twice is as good as 64 times to find out what may happen in between.
  string(REPLACE "attempt != 64" "attempt != 2" text "${text}")
  string(
    REPLACE "static thread_local turn* instance = nullptr;"
    "static preemption::per_thread<turn*> instance;" text "${text}"
  )
  string(
    REPLACE "static thread_local const context_state* instance = nullptr;"
    "static preemption::per_thread<const context_state*> instance;" text "${text}"
  )
  string(
    REPLACE "static thread_local int on_this_thread = 0;"
    "static preemption::per_thread<int> on_this_thread;" text "${text}"
  )
  # The watchdog has no thread here: in a scenario that wants it, another thread looks in its place.
  string(REPLACE "constexpr bool has_watchdog = true;" "bool has_watchdog = false;" text "${text}")
  string(REPLACE "#define OTPP_HAS_MEMBARRIER 1\n" "" text "${text}")
  string(REPLACE "std::atomic_signal_fence(std::memory_order_seq_cst);" "" text "${text}")
  if(header MATCHES "/watchdog.hpp$")
    string(REPLACE "std::condition_variable" "preemption::condition" text "${text}")
    string(REPLACE "  std::thread thread_;" "" text "${text}")
    string(REGEX REPLACE "      thread_ = std::thread[^\n]*\n" "" text "${text}")
    string(REGEX REPLACE "  if \\(thread_.get_id.*thread_.join\\(\\);\n  }\n" "" text "${text}")
  endif()
  if(header STREQUAL "detail/memory/block_cache.hpp")
    string(
      REPLACE "static inline constinit thread_local bins mine{};"
      "static inline preemption::per_thread<bins> mine;" text "${text}"
    )
    string(REPLACE "mine." "mine->" text "${text}")
    # What is kept would count as left over: only the depot's own scenario keeps any, and empties its bins
    # itself, as its threads have no end.
    string(REPLACE "!keeps_freed_blocks" "!preemption::keeps_freed_blocks" text "${text}")
    string(REPLACE " private:" " public:" text "${text}")
    string(REPLACE "static thread_local emptier at_end_of_thread;" "mine->is_open = true;" text "${text}")
  endif()

  set(
    std_others
      atomic mutex recursive_ shared_mutex shared_timed_ timed_ condition_ this_thread call_once counting_
      binary_
  )
  list(JOIN std_others "|" std_others)
  string(REGEX REPLACE "//[^\n]*" "" code "${text}")
  string(
    REGEX MATCH
    "std::(${std_others}|latch|barrier|j?thread)[a-z_]*|thread_local"
    other "${code}"
  )
  if(other)
    message(FATAL_ERROR "${header}: ${other} is not instrumented")
  endif()

  set(old "")
  if(EXISTS "${TO}/otpp/${header}")
    file(READ "${TO}/otpp/${header}" old)
  endif()
  if(NOT text STREQUAL old)
    file(WRITE "${TO}/otpp/${header}" "${text}")
  endif()
endforeach()
