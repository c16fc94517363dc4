# What takes longer than a commit may: `cmake --workflow --preset verify`. Each part leaves a file below
# build/verify/verify/, from which the last makes verification-report.md.
set(results ${PROJECT_BINARY_DIR}/verify)
set(OTPP_VERIFY_FUZZ_SECONDS 180 CACHE STRING "How long each fuzz target runs in the preset verify")
set(OTPP_VERIFY_LIFETIMES_SECONDS 1800 CACHE STRING "How long each program of lifetimes runs in the preset verify")
set(OTPP_VERIFY_IDLE_SECONDS 60 CACHE STRING "How long nodes say nothing in the preset verify; the design asks for 3600")
set(OTPP_VERIFY_MUTANTS 150 CACHE STRING "How many mutants the preset verify draws")

cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)

# otpp_add_verification(<name> <regex> <command>...): the lines that match go into the report.
function(otpp_add_verification name keep)
  add_test(
    NAME verify.${name}
    COMMAND ${CMAKE_COMMAND} -D NAME=${name} -D RESULTS=${results} -D KEEP=${keep}
            -P ${PROJECT_SOURCE_DIR}/tools/verify_phase.cmake -- ${ARGN}
  )
  set_tests_properties(
    verify.${name}
    PROPERTIES LABELS verify TIMEOUT 7200 RUN_SERIAL TRUE FIXTURES_REQUIRED verify_begin
  )
  set_property(GLOBAL APPEND PROPERTY otpp_verifications ${name})
endfunction()

add_test(NAME verify.begin COMMAND ${CMAKE_COMMAND} -E rm -rf ${results})
set_tests_properties(verify.begin PROPERTIES LABELS verify FIXTURES_SETUP verify_begin)

# g++ 12's ThreadSanitizer does not start on kernels that spread addresses widely.
find_program(OTPP_SETARCH setarch)
if(OTPP_SETARCH)
  set(plain_addresses ${OTPP_SETARCH} -R)
endif()
set(run_tsan
  ${CMAKE_COMMAND} -E env "TSAN_OPTIONS=halt_on_error=1:suppressions=${PROJECT_SOURCE_DIR}/tools/tsan.supp"
  ${plain_addresses}
)
# As the presets asan and tsan say.
set(asan_options
  -g1 -fsanitize=address,undefined -fno-sanitize=vptr,null,alignment,object-size -fno-sanitize-recover=all
  -fno-omit-frame-pointer -DASIO_DISABLE_AWAITABLE_FRAME_RECYCLING -DASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=0
)
set(tsan_options -g1 -fsanitize=thread -Wno-tsan)

add_executable(otpp_stress_tsan stress/client.cpp stress/node.cpp stress/stress.cpp)
target_include_directories(otpp_stress_tsan PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_compile_options(otpp_stress_tsan PRIVATE -fsanitize=thread -Wno-tsan -g1)
target_link_options(otpp_stress_tsan PRIVATE -fsanitize=thread)
target_link_libraries(otpp_stress_tsan PRIVATE otpp::otpp otpp_warnings)

otpp_add_verification(
  orders "schedules|passed"
  ${CMAKE_COMMAND} -E env OTPP_ORDERS_SIZE=verify $<TARGET_FILE:otpp_orders_tests>
)
otpp_add_verification(
  orders_nodes "schedules|passed"
  ${CMAKE_COMMAND} -E env OTPP_ORDERS_SIZE=verify $<TARGET_FILE:otpp_orders_nodes>
)
otpp_add_verification(
  stress "messages" ${plain_addresses} $<TARGET_FILE:otpp_stress_tsan> --messages 100000000
)
if(OTPP_TEST_LIFETIMES)
  otpp_add_lifetimes(otpp_lifetimes_asan ${asan_options})
  otpp_add_lifetimes(otpp_lifetimes_tsan ${tsan_options})
  otpp_add_verification(
    lifetimes_asan "operations|nothing lost"
    $<TARGET_FILE:otpp_lifetimes_asan> --seconds ${OTPP_VERIFY_LIFETIMES_SECONDS}
  )
  otpp_add_verification(
    lifetimes_tsan "operations|nothing lost"
    ${run_tsan} $<TARGET_FILE:otpp_lifetimes_tsan> --seconds ${OTPP_VERIFY_LIFETIMES_SECONDS}
  )
endif()

# Nodes, as the lifetimes are.
foreach(sanitizer IN ITEMS asan tsan)
  add_executable(otpp_soak_${sanitizer} ${PROJECT_SOURCE_DIR}/tests/dist/soak.cpp)
  target_include_directories(otpp_soak_${sanitizer} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_options(otpp_soak_${sanitizer} PRIVATE ${${sanitizer}_options})
  target_link_options(otpp_soak_${sanitizer} PRIVATE ${${sanitizer}_options})
  target_link_libraries(otpp_soak_${sanitizer} PRIVATE otpp::dist otpp_warnings)
endforeach()
otpp_add_verification(
  soak_asan "^operations" $<TARGET_FILE:otpp_soak_asan> --seconds ${OTPP_VERIFY_LIFETIMES_SECONDS}
)
otpp_add_verification(
  soak_tsan "^operations" ${run_tsan} $<TARGET_FILE:otpp_soak_tsan> --seconds ${OTPP_VERIFY_LIFETIMES_SECONDS}
)
# Rows of Erlang's that a commit has shorter: 10^6 messages, 10^4 races of each side.
otpp_add_verification(
  erlang_long "took"
  ${PROJECT_SOURCE_DIR}/tests/dist/long_rows $<TARGET_FILE:otpp_dist_server> ${OTPP_VERIFY_IDLE_SECONDS}
)
# Cables that are cut between hosts, for a tick time each.
otpp_add_verification(
  cables "^told|took|skipped" ${PROJECT_SOURCE_DIR}/tests/dist/cables $<TARGET_FILE:otpp_dist_server>
)
otpp_add_verification(
  erlang_27 "Erlang/OTP|tests passed"
  ${PROJECT_SOURCE_DIR}/tests/dist/unpack_erlang trixie ${PROJECT_BINARY_DIR}/erlang_27
  ${CMAKE_CTEST_COMMAND} --test-dir ${PROJECT_BINARY_DIR} --tests-regex "^dist[.]erlang"
)
otpp_add_verification(
  preemption "schedules|tests passed"
  ${CMAKE_CTEST_COMMAND} --test-dir ${PROJECT_BINARY_DIR} --label-regex "^preemption$" --verbose
)
otpp_add_verification(
  model "states|tests passed"
  ${CMAKE_CTEST_COMMAND} --test-dir ${PROJECT_BINARY_DIR} --label-regex "^model$" --verbose
)
otpp_add_verification(
  examples "tests passed"
  ${CMAKE_COMMAND} -E chdir ${PROJECT_SOURCE_DIR} ${CMAKE_COMMAND} --workflow --preset examples
)
otpp_add_verification(
  tsan "tests passed"
  ${plain_addresses} ${CMAKE_COMMAND} -E chdir ${PROJECT_SOURCE_DIR} ${CMAKE_COMMAND} --workflow --preset tsan
)
if(TARGET otpp_term_ei)
  otpp_add_verification(term_ei "agree" $<TARGET_FILE:otpp_term_ei> 1000000)
  add_dependencies(otpp_stress otpp_term_ei) # which the preset builds
endif()
otpp_add_verification(memory "passed" $<TARGET_FILE:otpp_memory_tests> "*,[.verify]")
otpp_add_verification(
  fuzz "^Done "
  ${CMAKE_COMMAND} -D ROOT=${PROJECT_SOURCE_DIR} -D BUILD=${PROJECT_BINARY_DIR}/fuzz
  -D SECONDS=${OTPP_VERIFY_FUZZ_SECONDS} -P ${PROJECT_SOURCE_DIR}/tools/fuzz.cmake
)
otpp_add_verification(
  mutation "^survived|\\|"
  ${PROJECT_SOURCE_DIR}/tests/systematic/mutation/mutate --sample ${OTPP_VERIFY_MUTANTS} -j ${cores}
)
otpp_add_verification(
  coverage "^(lines|branches):"
  ${CMAKE_COMMAND} -D ROOT=${PROJECT_SOURCE_DIR} -P ${PROJECT_SOURCE_DIR}/tools/coverage.cmake
)
otpp_add_verification(deb "^make_deb" ${PROJECT_SOURCE_DIR}/tools/make_deb ${PROJECT_BINARY_DIR}/deb)
otpp_add_verification(
  platforms "^check_platforms"
  ${PROJECT_SOURCE_DIR}/tools/check_platforms --folder ${PROJECT_BINARY_DIR}/platforms
)
otpp_add_verification(
  packages "^check_packages" ${PROJECT_SOURCE_DIR}/tools/check_packages ${PROJECT_BINARY_DIR}/packages
)
if(OTPP_STRESS_SOAK)
  otpp_add_verification(
    soak "^messages|^RSS|loses signals" $<TARGET_FILE:otpp_stress> --soak --seconds ${OTPP_STRESS_SOAK}
  )
endif()

# Last, whatever the others have come to.
add_test(
  NAME verify.report
  COMMAND ${CMAKE_COMMAND} -D ROOT=${PROJECT_SOURCE_DIR} -D RESULTS=${results}
          -D "COMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, ${otpp_asio_origin}"
          -P ${PROJECT_SOURCE_DIR}/tools/verify_report.cmake
)
get_property(verifications GLOBAL PROPERTY otpp_verifications)
list(TRANSFORM verifications PREPEND verify.)
set_tests_properties(verify.report PROPERTIES LABELS verify DEPENDS "${verifications}")
