# cmake -D ROOT=<source dir> -P banned.cmake
#
# What this code base bans, line by line, comments included: readers copy those too.
cmake_minimum_required(VERSION 3.23)
include(${CMAKE_CURRENT_LIST_DIR}/read_lines.cmake)
string(ASCII 1 open) # otpp_read_lines: "["
string(ASCII 3 semicolon) # and ";"

# g++ 12 lays out the coroutine's frame wrongly around a co_await in a condition, and
# g++ 15 forgets to destroy a structured binding. Name the result first.
set(everywhere
  "(^|[^a-zA-Z0-9_])(if|while|switch|for)[ \t]*\\(.*co_await"
  "auto&?&?[ \t]*${open}.*co_await"
  "(TODO|FIXME|XXX)"
)
# A detached coroutine swallows errors; a wall clock jumps; Asio's channels
# mean different things in different versions.
set(in_headers
  "asio::detached"
  "system_clock"
  "experimental(/|::)(concurrent_)?channel"
)
# Catch2's discovery makes a CMake list of the names, and two tests that match nothing of such a one.
set(in_tests
  "TEST_CASE.*\"[^\"]*${semicolon}[^\"]*\""
)

set(errors "")
function(check pattern)
  file(GLOB_RECURSE files RELATIVE "${ROOT}" ${pattern})
  foreach(file IN LISTS files)
    otpp_read_lines(lines "${ROOT}/${file}")
    set(number 0)
    foreach(line IN LISTS lines)
      math(EXPR number "${number} + 1")
      foreach(word IN LISTS ARGN)
        if(line MATCHES "${word}")
          otpp_show(shown "${line}")
          string(APPEND errors "  ${file}:${number}: ${shown}\n")
        endif()
      endforeach()
    endforeach()
  endforeach()
  set(errors "${errors}" PARENT_SCOPE)
endfunction()

check("${ROOT}/include/*.hpp" ${everywhere} ${in_headers})
check("${ROOT}/examples/*.?pp" ${everywhere})
check("${ROOT}/tests/*.?pp" ${everywhere} ${in_tests})

if(errors)
  message(FATAL_ERROR "banned (see ${CMAKE_CURRENT_LIST_FILE}):\n${errors}")
endif()
