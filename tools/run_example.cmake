# cmake -D PROGRAM=<exe> -D SOURCE=<cpp> -P run_example.cmake
#
# Runs an example and compares what it prints with the comment that ends its
# source:
#   // Output:
#   // count: 5
cmake_minimum_required(VERSION 3.23)

file(READ "${SOURCE}" source)
string(FIND "${source}" "\n// Output:\n" at REVERSE)
if(at EQUAL -1)
  message(FATAL_ERROR "${SOURCE}: does not end with an Output comment")
endif()
string(SUBSTRING "${source}" ${at} -1 expected)
string(REPLACE "\n// Output:\n" "" expected "${expected}")
if(NOT expected MATCHES "^(//[^\n]*\n)+$")
  message(FATAL_ERROR "${SOURCE}: more than comment lines after // Output:")
endif()
string(REGEX REPLACE "(^|\n)// ?" "\\1" expected "${expected}")

execute_process(
  COMMAND "${PROGRAM}"
  OUTPUT_VARIABLE printed
  ERROR_VARIABLE complained
  RESULT_VARIABLE status
  TIMEOUT 30
)
if(NOT status EQUAL 0 OR NOT printed STREQUAL expected)
  message(FATAL_ERROR "exit status ${status}\n--- expected\n${expected}--- printed\n${printed}"
    "--- on stderr\n${complained}")
endif()
