# cmake -D ROOT=<source dir> -P orphans.cmake
#
# Every header, test, model and example must be named in a CMakeLists.txt: a file that
# nobody builds is decoration, and decoration rots. And a test below tests/unit stands
# where its header stands below include/otpp, and includes it first.
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

# A test is named by the next CMakeLists.txt above it.
file(
  GLOB_RECURSE tests RELATIVE "${ROOT}"
  "${ROOT}/tests/*.test.cpp" "${ROOT}/tests/*.fuzz.cpp"
  "${ROOT}/examples/*.test.cpp" "${ROOT}/examples/*.fuzz.cpp"
)
foreach(test IN LISTS tests)
  cmake_path(GET test PARENT_PATH folder)
  while(NOT EXISTS "${ROOT}/${folder}/CMakeLists.txt")
    cmake_path(GET folder PARENT_PATH folder)
  endwhile()
  cmake_path(RELATIVE_PATH test BASE_DIRECTORY ${folder} OUTPUT_VARIABLE name)
  expect(${folder}/CMakeLists.txt "" ${name})
endforeach()

file(GLOB_RECURSE units RELATIVE "${ROOT}/tests/unit" "${ROOT}/tests/unit/*.cpp")
foreach(unit IN LISTS units)
  string(REGEX REPLACE "\\.test\\.cpp$" ".hpp" header "${unit}")
  if(NOT EXISTS "${ROOT}/include/otpp/${header}")
    string(APPEND errors "  tests/unit/${unit} tests no header: there is no include/otpp/${header}\n")
    continue()
  endif()
  file(STRINGS "${ROOT}/tests/unit/${unit}" first LIMIT_COUNT 1 REGEX "^#include ")
  if(NOT first MATCHES "^#include <otpp/${header}>")
    string(APPEND errors "  tests/unit/${unit} does not include <otpp/${header}> first\n")
  endif()
endforeach()

file(GLOB mistakes RELATIVE "${ROOT}/tests/compile/fail" "${ROOT}/tests/compile/fail/*.cpp")
list(TRANSFORM mistakes REPLACE "\\.cpp$" "")
expect(tests/compile/fail/CMakeLists.txt "otpp_add_compile_fail " ${mistakes})

set(folder tests/systematic/model)
file(GLOB models RELATIVE "${ROOT}/${folder}" "${ROOT}/${folder}/*.pml")
list(TRANSFORM models REPLACE "\\.pml$" "")
expect(${folder}/CMakeLists.txt "otpp_add_model " ${models})

set(folder tests/compile/consumer)
file(GLOB consumers RELATIVE "${ROOT}/${folder}" "${ROOT}/${folder}/*/CMakeLists.txt")
list(TRANSFORM consumers REPLACE "/CMakeLists.txt$" "")
expect(${folder}/CMakeLists.txt "otpp_add_consumer " ${consumers} template)

file(
  GLOB examples RELATIVE "${ROOT}/examples"
  "${ROOT}/examples/*.cpp" "${ROOT}/examples/guide/*.cpp" "${ROOT}/examples/tutorial/*.cpp"
)
list(TRANSFORM examples REPLACE "\\.cpp$" "")
set(endless observer) # those that run until they are told to end
list(REMOVE_ITEM examples ${endless})
expect(examples/CMakeLists.txt "otpp_add_example " ${examples})
expect(examples/CMakeLists.txt "otpp_add_program " ${endless})
file(GLOB folders RELATIVE "${ROOT}/examples" "${ROOT}/examples/*/CMakeLists.txt")
list(TRANSFORM folders REPLACE "/CMakeLists.txt$" "")
list(REMOVE_ITEM folders template) # a project of its own, among the consumers
expect(examples/CMakeLists.txt "add_subdirectory " ${folders})

# Every folder with a list is itself in the list of the folder above.
file(GLOB_RECURSE lists RELATIVE "${ROOT}" "${ROOT}/tests/CMakeLists.txt")
list(FILTER lists EXCLUDE REGEX "^tests/(compile/consumer/.+/)?CMakeLists\\.txt$")
foreach(list IN LISTS lists)
  cmake_path(GET list PARENT_PATH folder)
  cmake_path(GET folder FILENAME name)
  cmake_path(GET folder PARENT_PATH above)
  expect(${above}/CMakeLists.txt "add_subdirectory " ${name})
endforeach()

if(errors)
  message(FATAL_ERROR "files that nothing builds, or in the wrong place:\n${errors}")
endif()
list(LENGTH units number)
message(STATUS "${number} headers have a file of tests")
