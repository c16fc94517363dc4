# cmake -D ROOT=<source dir> -P observer_page.cmake
#
# include/otpp/observer/detail/page.hpp is what tools/observer/make_page makes of tools/observer/page.html,
# which is at most 32 KB and refers to nothing outside of itself.
cmake_minimum_required(VERSION 3.23)

find_package(Python3 COMPONENTS Interpreter)
if(NOT Python3_FOUND)
  message(STATUS "Python 3 is missing: page.hpp is not compared")
  return()
endif()

execute_process(
  COMMAND "${Python3_EXECUTABLE}" -B "${ROOT}/tools/observer/make_page" --check
  RESULT_VARIABLE failed
  ERROR_VARIABLE why
)
if(failed)
  message(FATAL_ERROR "${why}")
endif()
