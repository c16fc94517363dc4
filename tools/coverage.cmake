# cmake -D ROOT=<source dir> [-D LEAST=95] -P coverage.cmake
#
# Which lines of the headers the tests run, and that it is at least so many in a
# hundred. Builds the preset `coverage`; needs gcovr.
cmake_minimum_required(VERSION 3.23)
if(NOT LEAST)
  set(LEAST 95)
endif()
find_program(gcovr gcovr REQUIRED)

macro(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${ROOT}" COMMAND_ERROR_IS_FATAL ANY)
endmacro()

run(${CMAKE_COMMAND} --preset coverage)
run(${CMAKE_COMMAND} --build --preset coverage)
file(GLOB_RECURSE old "${ROOT}/build/coverage/*.gcda")
if(old)
  file(REMOVE ${old})
endif()
run(${CMAKE_CTEST_COMMAND} --test-dir build/coverage -j 2 -LE "lint|compile_fail|consumer|readme|model|example")
run(
  ${gcovr} -r . --object-directory build/coverage --filter include/otpp/ --exclude-unreachable-branches
  --fail-under-line ${LEAST} --txt build/coverage/lines.txt --print-summary
)
