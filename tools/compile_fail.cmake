# cmake -D MESSAGE=<text> -D BOTH=<bool> -P compile_fail.cmake -- <compile command>
#
# With OTPP_MISTAKE defined the command must fail and say MESSAGE; if BOTH, it must succeed without.
cmake_minimum_required(VERSION 3.23)

set(command "")
set(past_dashes FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(past_dashes)
    list(APPEND command "${CMAKE_ARGV${i}}")
  elseif(CMAKE_ARGV${i} STREQUAL "--")
    set(past_dashes TRUE)
  endif()
endforeach()

set(ENV{LC_ALL} C) # no typographic quotes in what the compiler says

if(BOTH)
  execute_process(COMMAND ${command} RESULT_VARIABLE status ERROR_VARIABLE said)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "does not compile even without OTPP_MISTAKE:\n${said}")
  endif()
endif()

execute_process(COMMAND ${command} -DOTPP_MISTAKE RESULT_VARIABLE status ERROR_VARIABLE said)
if(status EQUAL 0)
  message(FATAL_ERROR "compiles although OTPP_MISTAKE is defined")
endif()
string(FIND "${said}" "${MESSAGE}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "fails without saying \"${MESSAGE}\":\n${said}")
endif()
