# cmake -D MODEL=<pml> -D SPIN=<spin> -D CC=<C compiler> -D WORK=<folder>
#       [-D MUTANT=<name>] -P run_model.cmake
#
# Looks at every state that the model can get into. There must be no error, and
# every assertion of `init`, which says how all must end, must have been reached.
# With MUTANT_<name> defined there must be an error.
cmake_minimum_required(VERSION 3.23)

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")

set(mutation "")
if(MUTANT)
  set(mutation -DMUTANT_${MUTANT})
endif()

function(run result)
  execute_process(
    COMMAND ${ARGN}
    WORKING_DIRECTORY "${WORK}"
    OUTPUT_VARIABLE said
    ERROR_VARIABLE said
    RESULT_VARIABLE status
  )
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN}\nends with ${status}:\n${said}")
  endif()
  set(${result} "${said}" PARENT_SCOPE)
endfunction()

run(said "${SPIN}" -a ${mutation} "${MODEL}")
# -O0: the search takes a second, and compiling better takes longer than it saves.
run(said "${CC}" -O0 -w -DSAFETY -DMEMLIM=1024 -o pan pan.c)
run(said ./pan -m10000 -w22)

string(REGEX MATCH "errors: ([0-9]+)" found "${said}")
set(errors "${CMAKE_MATCH_1}")
string(REGEX MATCH "([0-9.e+]+) states, stored" states "${said}")
if(NOT found OR said MATCHES "max search depth too small|out of memory|reached -DMEMLIM")
  message(FATAL_ERROR "the search was not completed:\n${said}")
endif()

if(MUTANT)
  if(errors EQUAL 0)
    message(FATAL_ERROR "the model does not notice it:\n${said}")
  endif()
  string(REGEX MATCH "pan:1: [^\n]*" error "${said}")
  message(STATUS "${states}: ${error}")
  return()
endif()

if(NOT errors EQUAL 0)
  get_filename_component(file "${MODEL}" NAME)
  run(trail "${SPIN}" -k ${file}.trail -p -g "${MODEL}")
  message(FATAL_ERROR "${said}\nThis is how:\n${trail}")
endif()
string(REGEX REPLACE ".*unreached in init" "" unreached "${said}")
if(unreached MATCHES "\"assert")
  message(FATAL_ERROR "what is to hold in the end was not looked at:\n${unreached}")
endif()
message(STATUS "${states}")
