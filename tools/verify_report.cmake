# cmake -D ROOT=<source dir> -D RESULTS=<folder> -D COMPILER=<text> -P verify_report.cmake
#
# Makes verification-report.md of what the parts of the preset `verify` have
# left in RESULTS. Copy it to docs/ when it is to be kept.
cmake_minimum_required(VERSION 3.23)
set(parts
  orders orders_nodes stress soak lifetimes_asan lifetimes_tsan soak_asan soak_tsan erlang_long cables erlang_27 term_ei
  memory preemption model fuzz mutation coverage tsan examples platforms packages deb
)
set(title_orders "Every order of handlers, timers and ends")
set(title_orders_nodes "Two nodes, and a connection that is cut at every step")
set(title_soak_asan "Three nodes under AddressSanitizer")
set(title_soak_tsan "Three nodes under ThreadSanitizer")
set(title_erlang_long "Erlang: 10^6 messages, 10^4 races, and silence")
set(title_cables "Erlang: cables that are cut between hosts")
set(title_erlang_27 "Erlang/OTP 27")
set(title_term_ei "Terms beside ei")
set(title_stress "Stress under ThreadSanitizer")
set(title_soak "Soak")
set(title_lifetimes_asan "Lifetimes under AddressSanitizer")
set(title_lifetimes_tsan "Lifetimes under ThreadSanitizer")
set(title_memory "Allocation failure at every index, and at every pair of them")
set(title_preemption "Preemption: the lock-free parts, every interleaving of two and three threads")
set(title_model "Models")
set(title_fuzz "Fuzzing")
set(title_mutation "Mutation testing")
set(title_coverage "Coverage of include/otpp")
set(title_tsan "Tests of all headers under ThreadSanitizer")
set(title_examples "Examples with g++")
set(title_platforms "Platforms")
set(title_packages "Users' projects and packages")
set(title_deb "The Debian package")

execute_process(
  COMMAND git log -1 --format=%h WORKING_DIRECTORY "${ROOT}"
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
)
string(TIMESTAMP today "%Y-%m-%d" UTC)
cmake_host_system_information(RESULT cpu QUERY PROCESSOR_DESCRIPTION)
cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)

set(text "# Verification report\n\nMade by `cmake --workflow --preset verify` on ${today}, of commit ${commit}: ")
string(APPEND text "${COMPILER}, ${cores} cores (${cpu}).\nWhat each part is: [guarantees.md](guarantees.md).\n")
foreach(part IN LISTS parts)
  string(APPEND text "\n## ${title_${part}}\n\n")
  if(NOT EXISTS "${RESULTS}/${part}.txt")
    string(APPEND text "Not run.\n")
    continue()
  endif()
  file(READ "${RESULTS}/${part}.txt" said)
  string(STRIP "${said}" said)
  if(said MATCHES "^([^\n]*)\n(.*)$")
    set(first "${CMAKE_MATCH_1}")
    set(rest "${CMAKE_MATCH_2}")
    string(APPEND text "${first}.\n\n```text\n${rest}\n```\n")
  else()
    string(APPEND text "${said}.\n")
  endif()
endforeach()
file(WRITE "${RESULTS}/verification-report.md" "${text}")
message(STATUS "${RESULTS}/verification-report.md")
