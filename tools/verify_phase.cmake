# cmake -D NAME=<name> -D RESULTS=<folder> [-D KEEP=<regex>] -P verify_phase.cmake -- <command>...
#
# Runs one part of the preset `verify`, and keeps what the report says of it:
# how long it took, how it ended, and the lines of its output that match KEEP.
cmake_minimum_required(VERSION 3.23)
set(command "")
set(is_command FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(is_command)
    list(APPEND command "${CMAKE_ARGV${i}}")
  elseif(CMAKE_ARGV${i} STREQUAL "--")
    set(is_command TRUE) # what CMake takes for an option of its own, as -L, never comes here
  endif()
endforeach()

file(MAKE_DIRECTORY "${RESULTS}")
string(TIMESTAMP begin "%s" UTC)
execute_process(
  COMMAND ${command}
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output
  RESULT_VARIABLE result
  ECHO_OUTPUT_VARIABLE
  ECHO_ERROR_VARIABLE
)
string(TIMESTAMP end "%s" UTC)
math(EXPR seconds "${end} - ${begin}")

if(result EQUAL 0)
  set(ended "passed")
elseif(result EQUAL 77) # what it needs is not installed
  set(ended "not run")
  set(result 0)
else()
  set(ended "FAILED (${result})")
endif()
set(kept "")
if(KEEP)
  string(REPLACE ";" "," output "${output}")
  string(REPLACE "[" "(" output "${output}") # which would hold the elements of a list together
  string(REPLACE "]" ")" output "${output}")
  string(REGEX REPLACE "\r?\n" ";" lines "${output}")
  foreach(line IN LISTS lines)
    if(line MATCHES "^ *Start +([0-9]+): (.+)$")
      set(test_${CMAKE_MATCH_1} "${CMAKE_MATCH_2}") # ctest's own, which then says the number alone
    elseif(line MATCHES "^([0-9]+): (.*)$")
      if(DEFINED test_${CMAKE_MATCH_1})
        set(line "${test_${CMAKE_MATCH_1}}: ${CMAKE_MATCH_2}")
      endif()
    endif()
    if(line MATCHES "${KEEP}")
      string(APPEND kept "${line}\n")
    endif()
  endforeach()
endif()
file(WRITE "${RESULTS}/${NAME}.txt" "${ended} in ${seconds} s\n${kept}")
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${NAME}: ${ended}")
endif()
