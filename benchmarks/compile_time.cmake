# Declares the test compile_time.budget. Only for the compiler that the budgets were measured with: what
# another one takes for otpp, and for Asio, is another matter.
#
# Included by tests/CMakeLists.txt, and by benchmarks/CMakeLists.txt where there are no tests.
find_package(Python3 COMPONENTS Interpreter QUIET)
if(
  Python3_FOUND
  AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU"
  AND CMAKE_CXX_COMPILER_VERSION MATCHES "^12[.]"
)
  add_test(
    NAME compile_time.budget
    COMMAND
      Python3::Interpreter ${PROJECT_SOURCE_DIR}/benchmarks/compile_time.py
      --budget --runs 2 --compiler ${CMAKE_CXX_COMPILER}
      "--asio=$<$<BOOL:${OTPP_ASIO_INCLUDE_DIR}>:${OTPP_ASIO_INCLUDE_DIR}>"
  )
  # Alone: other compilers beside it would push it out of the caches.
  set_tests_properties(compile_time.budget PROPERTIES LABELS verify TIMEOUT 300 RUN_SERIAL TRUE)
endif()
