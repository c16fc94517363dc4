# cmake -D ROOT=<source dir> -D BUILD=<folder> -D SECONDS=<each> -P fuzz.cmake
#
# Builds the fuzzers with clang and AddressSanitizer, and runs each for so long,
# from the corpus. What is found is left in BUILD/found.
cmake_minimum_required(VERSION 3.23)
find_program(clang NAMES clang++-19 clang++ REQUIRED)
macro(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endmacro()

run(
  ${CMAKE_COMMAND} -S "${ROOT}" -B "${BUILD}" -G Ninja -D CMAKE_CXX_COMPILER=${clang} -D CMAKE_BUILD_TYPE=None
  -D OTPP_FUZZ=ON -D OTPP_EXAMPLES=redis_server
)
set(targets api resp http term frame handshake epmd)
list(TRANSFORM targets PREPEND otpp_fuzzer_ OUTPUT_VARIABLE programs)
run(${CMAKE_COMMAND} --build "${BUILD}" --target ${programs})
file(MAKE_DIRECTORY "${BUILD}/found")
set(folder_api tests/systematic/fuzz)
set(folder_resp examples/redis_server)
foreach(target http term frame handshake epmd)
  set(folder_${target} tests/systematic/fuzz/${target})
endforeach()
foreach(target IN LISTS targets)
  file(MAKE_DIRECTORY "${BUILD}/corpus/${target}")
  message(STATUS "fuzzing ${target} for ${SECONDS} s")
  run(
    ${BUILD}/${folder_${target}}/otpp_fuzzer_${target} -max_total_time=${SECONDS} -max_len=400 -print_final_stats=1
    -artifact_prefix=${BUILD}/found/ ${BUILD}/corpus/${target} ${ROOT}/${folder_${target}}/corpus
  )
endforeach()
