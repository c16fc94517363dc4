# cmake -D ROOT=<source dir> -P orphans.cmake
#
# Every header, test, model and example must be named in a CMakeLists.txt. A file that
# nobody builds is decoration, and decoration rots.
cmake_minimum_required(VERSION 3.23)

set(errors "")

# expect(<list file> <before> <file>...): the list file names each file, right
# after <before> and not in a comment.
function(expect listfile before)
  file(READ "${ROOT}/${listfile}" text)
  string(REGEX REPLACE "#[^\n]*" "" text "${text}")
  string(REGEX REPLACE "[ \t\n()]+" " " text "${text}")
  foreach(file IN LISTS ARGN)
    string(FIND "${text}" " ${before}${file} " at)
    if(at EQUAL -1)
      string(APPEND errors "  ${listfile} does not name ${before}${file}\n")
    endif()
  endforeach()
  set(errors "${errors}" PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE headers RELATIVE "${ROOT}" "${ROOT}/include/*.hpp")
expect(CMakeLists.txt "" ${headers})

file(GLOB_RECURSE tests RELATIVE "${ROOT}/tests" "${ROOT}/tests/*.test.cpp")
expect(tests/CMakeLists.txt "" ${tests})

file(GLOB mistakes RELATIVE "${ROOT}/tests/compile_fail" "${ROOT}/tests/compile_fail/*.cpp")
list(TRANSFORM mistakes REPLACE "\\.cpp$" "")
expect(tests/CMakeLists.txt "otpp_add_compile_fail " ${mistakes})

file(GLOB models RELATIVE "${ROOT}/tests/model" "${ROOT}/tests/model/*.pml")
list(TRANSFORM models REPLACE "\\.pml$" "")
expect(tests/CMakeLists.txt "otpp_add_model " ${models})

file(GLOB consumers RELATIVE "${ROOT}/tests/consumer" "${ROOT}/tests/consumer/*/CMakeLists.txt")
list(TRANSFORM consumers REPLACE "/CMakeLists.txt$" "")
expect(tests/CMakeLists.txt "otpp_add_consumer " ${consumers})

file(GLOB examples RELATIVE "${ROOT}/examples" "${ROOT}/examples/*.cpp")
foreach(example IN LISTS examples)
  file(STRINGS "${ROOT}/examples/${example}" output REGEX "^// Output:$")
  string(REGEX REPLACE "\\.cpp$" "" example "${example}")
  if(output)
    expect(examples/CMakeLists.txt "otpp_add_example " ${example})
  else() # one that runs until it is stopped
    expect(examples/CMakeLists.txt "otpp_add_program " ${example})
  endif()
endforeach()

if(errors)
  message(FATAL_ERROR "files that nothing builds:\n${errors}")
endif()
