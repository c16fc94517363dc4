# What must not compile, many cases at a time (otpp_add_compile_fail):
#
#   cmake -D SAYS=<file> -D BOTH=<bool> -P compile_fail.cmake -- <compile command>
#
# With OTPP_MISTAKE defined the command must fail, and what it says is kept in the file; if BOTH, it must succeed
# without.
#
#   cmake -D SAID=<file> -D CASE=<name> -D COMPILER=<GNU or Clang> -D MESSAGE=<text> -P compile_fail.cmake
#
# The file must have MESSAGE, said for that case.
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

if(command)
  set(ENV{LC_ALL} C) # no typographic quotes in what the compiler says
  file(REMOVE ${SAYS}) # else the cases could read what another run has said
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
  file(WRITE ${SAYS} "${said}")
  return()
endif()

# The compiler names the case, by its file or by its namespace, in the lines about what it was instantiating:
# g++ ends them with the error, and Clang begins them with it.
file(READ ${SAID} said)
set(rest "${said}")
set(before "")
set(others "") # who else it is said of
while(TRUE)
  string(FIND "${rest}" "${MESSAGE}" at)
  if(at EQUAL -1)
    break()
  endif()
  string(SUBSTRING "${rest}" 0 ${at} part)
  string(SUBSTRING "${rest}" ${at} -1 rest)
  string(APPEND before "${part}")
  set(context "${before}")
  if(COMPILER STREQUAL "Clang")
    string(REGEX MATCH "[^\n]*$" line "${before}")
    set(context "${line}${rest}")
  endif()
  # GNU: the last one before the sentence. Clang: the first one in its line or after it.
  string(REGEX MATCHALL "case_[a-z0-9_]+::|/[a-z0-9_]+[.]cpp:" cases "${context}")
  if(COMPILER STREQUAL "GNU")
    list(REVERSE cases)
  endif()
  list(POP_FRONT cases named)
  if(named STREQUAL "case_${CASE}::" OR named STREQUAL "/${CASE}.cpp:")
    return()
  endif()
  list(APPEND others "${named}")
  string(LENGTH "${MESSAGE}" length)
  string(SUBSTRING "${rest}" 0 ${length} part)
  string(SUBSTRING "${rest}" ${length} -1 rest)
  string(APPEND before "${part}")
endwhile()
message(FATAL_ERROR "fails without saying \"${MESSAGE}\" of ${CASE}, but of: ${others}\n${said}")
