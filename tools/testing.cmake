# Catch2 2.13 or 3, installed or downloaded, and the functions that declare a test.
# Included only when the tests are built.
find_package(Catch2 QUIET) # no version: 2.13 and 3 both do
if(Catch2_FOUND AND Catch2_VERSION VERSION_LESS 2.13)
  message(FATAL_ERROR "The tests need Catch2 2.13 or later; ${Catch2_DIR} has ${Catch2_VERSION}.")
endif()
if(NOT Catch2_FOUND AND OTPP_FETCH_DEPS)
  message(STATUS "otpp: Catch2 is not installed; downloading it. Without a network, install it "
    "(Debian: catch2), or set FETCHCONTENT_SOURCE_DIR_CATCH2, or OTPP_BUILD_TESTS=OFF.")
  include(FetchContent)
  FetchContent_Declare(
    Catch2
    GIT_REPOSITORY https://github.com/catchorg/Catch2.git
    GIT_TAG fa43b77429ba76c462b1898d6cd2f2d7a9416b14 # v3.7.1
  )
  FetchContent_MakeAvailable(Catch2)
  list(APPEND CMAKE_MODULE_PATH "${catch2_SOURCE_DIR}/extras")
  # Its headers are not ours to warn about.
  foreach(target Catch2 Catch2WithMain)
    get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
    set_target_properties(${target} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${dirs}")
  endforeach()
endif()
if(NOT TARGET Catch2::Catch2)
  message(FATAL_ERROR "The tests need Catch2 2.13 or 3 and did not find it.\n"
    "  Debian, Ubuntu: apt-get install catch2\n"
    "  or set OTPP_FETCH_DEPS=ON to download it, or OTPP_BUILD_TESTS=OFF to do without tests.")
endif()
include(Catch)

# otpp_catch: Catch2 with a main function. Not every 2.13 was built with one.
if(TARGET Catch2::Catch2WithMain)
  add_library(otpp_catch INTERFACE)
  target_link_libraries(otpp_catch INTERFACE Catch2::Catch2WithMain)
else()
  add_library(otpp_catch OBJECT ${PROJECT_SOURCE_DIR}/tests/support/catch_main.cpp)
  target_link_libraries(otpp_catch PUBLIC Catch2::Catch2)
endif()

# Several files at a time share what they instantiate, which takes half as long to compile. So the names in their
# unnamed namespaces must differ; those that cannot have that stand alone.
option(OTPP_TEST_UNITY "Compile several test files at a time" ON)

# A compiler takes up to 1.5 GB, so that no more of them run at a time than there is memory for.
cmake_host_system_information(RESULT otpp_memory QUERY TOTAL_PHYSICAL_MEMORY) # in MiB
math(EXPR otpp_compilers "${otpp_memory} / 1536")
if(otpp_compilers LESS 1)
  set(otpp_compilers 1)
endif()
set(OTPP_TEST_COMPILERS ${otpp_compilers} CACHE STRING "How many compilers may run at a time (with Ninja)")
set_property(GLOBAL APPEND PROPERTY JOB_POOLS otpp_compilers=${OTPP_TEST_COMPILERS})
set(CMAKE_JOB_POOL_COMPILE otpp_compilers)
set(CMAKE_JOB_POOL_PRECOMPILE_HEADER otpp_compilers)

# otpp_unite(<target> <how many> [<file that stands alone>...])
function(otpp_unite target size)
  if(NOT OTPP_TEST_UNITY)
    return()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # g++ 12 takes 3 GB for twelve files. It tidies up its heap from 512 MiB on, each time that it has grown by so much.
    if(size GREATER 3)
      set(size 3)
    endif()
    target_compile_options(${target} PRIVATE --param=ggc-min-heapsize=524288 --param=ggc-min-expand=40)
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage) # it takes the files for headers
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${size})
  if(ARGN)
    set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()

# otpp_test_program(<target> [<library>...])
#
# What all programs with tests of the library have: they link it, and more, and include tests/support.
#
# Reading Asio is most of what a test file costs. It is done once for all targets that are compiled alike, by one of its
# own, for which nobody waits longer than that takes. That every header stands on its own is what the target otpp_headers
# shows. With Clang the library is read once as well, because Clang instantiates in a precompiled header what the header
# instantiates: it takes a fifth less. Its warnings about the library are those of the preset clang, which compiles the
# headers one by one.
function(otpp_test_program target)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE otpp::otpp otpp_warnings otpp_catch ${ARGN})
  if(NOT TARGET otpp_precompiled)
    add_library(otpp_precompiled OBJECT ${PROJECT_SOURCE_DIR}/tests/support/precompiled.cpp)
    target_include_directories(otpp_precompiled PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(otpp_precompiled PRIVATE otpp::otpp otpp_warnings otpp_catch)
    target_precompile_headers(otpp_precompiled PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/precompiled.hpp)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      target_precompile_headers(otpp_precompiled PRIVATE <otpp/all.hpp> <otpp/dist.hpp> <otpp/testing.hpp>)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM otpp_precompiled)
endfunction()

# A start of a program takes a sanitizer 0.15 s, which is longer than most tests.
option(OTPP_TEST_BY_FILE "A test of CTest for each file, not for each TEST_CASE" OFF)

# otpp_discover_tests(<target> [LABEL <label>] [TIMEOUT <seconds>] [ONLY <subject>] [EXCEPT <subject>]
# [PROCESSORS <number>]): a test for each TEST_CASE, or for each file; only the subject's, or all but the subject's,
# which are "<subject>: ..." in <subject>.test.cpp. With two processors it runs alone in our presets.
function(otpp_discover_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT;ONLY;EXCEPT;PROCESSORS" "")
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_PROCESSORS)
    set(arg_PROCESSORS 1)
  endif()
  set(properties LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} PROCESSORS ${arg_PROCESSORS})
  # A name that finds no test must not pass: 2.13 has to be told so (a semicolon in a name was enough).
  set(no_test_fails "")
  set(no_test_passes --allow-running-no-tests)
  if(Catch2_VERSION VERSION_LESS 3)
    set(no_test_fails --warn NoTests)
    set(no_test_passes "")
  endif()
  if(NOT OTPP_TEST_BY_FILE)
    set(spec "")
    if(arg_ONLY)
      set(spec "${arg_ONLY}:*")
    elseif(arg_EXCEPT)
      set(spec "~${arg_EXCEPT}:*")
    endif()
    catch_discover_tests(${target} TEST_SPEC ${spec} EXTRA_ARGS ${no_test_fails} PROPERTIES ${properties})
    return()
  endif()

  # Catch2 makes tags of the files' names, such as [#call.test].
  set(others "")
  if(arg_EXCEPT)
    set(others "~[#${arg_EXCEPT}.test]")
  endif()
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM LAST_ONLY file)
    cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE path)
    file(STRINGS ${path} cases REGEX "TEST_CASE" LIMIT_COUNT 1)
    if(NOT cases OR file STREQUAL "${arg_EXCEPT}.test" OR (arg_ONLY AND NOT file STREQUAL "${arg_ONLY}.test"))
      continue()
    endif()
    add_test(NAME ${target}.${source} COMMAND ${target} -\# "[#${file}]" ${no_test_fails})
    set_tests_properties(${target}.${source} PROPERTIES ${properties})
    string(APPEND others "~[#${file}]")
  endforeach()
  # What the program has besides, so that none is forgotten: sources that it is given later.
  if(NOT arg_ONLY)
    add_test(NAME ${target}.others COMMAND ${target} -\# "${others}" ${no_test_passes})
    set_tests_properties(${target}.others PROPERTIES ${properties})
  endif()
endfunction()

# otpp_compile_command(<result>)
#
# The compiler as CMake would call it for a program that links otpp, for the
# tests that call it themselves.
function(otpp_compile_command result)
  separate_arguments(flags NATIVE_COMMAND "${CMAKE_CXX_FLAGS}")
  set(dirs "$<TARGET_PROPERTY:otpp_matrix,INCLUDE_DIRECTORIES>")
  set(definitions "$<TARGET_PROPERTY:otpp_matrix,COMPILE_DEFINITIONS>")
  set(
    ${result}
    ${CMAKE_CXX_COMPILER} ${flags} ${CMAKE_CXX20_STANDARD_COMPILE_OPTION}
    # None of these is ever empty: CMake 3.31 passes that on, as an empty argument.
    "-I$<JOIN:$<FILTER:${dirs},EXCLUDE,^/usr/include$>,$<SEMICOLON>-I>"
    "-D$<JOIN:OTPP_TESTING$<SEMICOLON>${definitions},$<SEMICOLON>-D>"
    PARENT_SCOPE
  )
endfunction()

# otpp_add_compile_fail(<name> <message>)
#
# <name>.cpp must compile as it stands, and must fail with
# <message>, word for word, once OTPP_MISTAKE is defined. That it compiles is Clang's to see: it costs little there,
# because its precompiled header has what the header instantiates. g++'s would save nothing.
#
# Reading Asio and the library is what costs, so many cases are one translation unit, each in a namespace of its own.
# A compiler says a sentence once where it does not depend on the types of the case, so those with the same message
# are in different ones: the second of a message is in compile_fail.batch_1.
function(otpp_add_compile_fail name message)
  string(MAKE_C_IDENTIFIER "${message}" key)
  get_property(number GLOBAL PROPERTY otpp_cases_of_${key})
  if(NOT number)
    set(number 0)
  endif()
  math(EXPR next "${number} + 1")
  set_property(GLOBAL PROPERTY otpp_cases_of_${key} ${next})

  set(batch ${CMAKE_CURRENT_BINARY_DIR}/batch-${number})
  if(NOT TEST compile_fail.batch_${number})
    otpp_add_compile_fail_batch(${number} ${batch})
  endif()
  # What the case includes must not be first included in its namespace.
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${name}.cpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(STRINGS ${source} includes REGEX "^#include")
  list(JOIN includes "\n" includes)
  file(APPEND ${batch}.cpp "${includes}\nnamespace case_${name} {\n#include \"${source}\"\n}\n")
  add_test(
    NAME compile_fail.${name}
    COMMAND
      ${CMAKE_COMMAND} -D SAID=${batch}.txt -D CASE=${name} -D COMPILER=${CMAKE_CXX_COMPILER_ID}
      -D "MESSAGE=${message}" -P ${PROJECT_SOURCE_DIR}/tools/compile_fail.cmake
  )
  set_tests_properties(
    compile_fail.${name}
    PROPERTIES FIXTURES_REQUIRED compile_fail_${number} LABELS compile_fail TIMEOUT 120
  )
endfunction()

# otpp_add_compile_fail_batch(<number> <file, without its ending>): compiles <file>.cpp, to which the cases are
# appended, and keeps what the compiler says in <file>.txt.
function(otpp_add_compile_fail_batch number file)
  file(WRITE ${file}.cpp "")
  otpp_compile_command(command)
  set(precompiled "")
  set(both OFF)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    set(umbrella ${CMAKE_CURRENT_BINARY_DIR}/umbrella.hpp)
    set(precompiled -ferror-limit=0 -include-pch ${umbrella}.pch)
    set(both ON)
    if(NOT TEST compile_fail.umbrella)
      file(WRITE ${umbrella} "#include <otpp/otpp.hpp>\n")
      add_test(
        NAME compile_fail.umbrella
        COMMAND ${command} -fpch-instantiate-templates -x c++-header ${umbrella} -o ${umbrella}.pch
        COMMAND_EXPAND_LISTS
      )
      set_tests_properties(
        compile_fail.umbrella
        PROPERTIES FIXTURES_SETUP umbrella LABELS compile_fail TIMEOUT 120
      )
    endif()
  endif()
  add_test(
    NAME compile_fail.batch_${number}
    COMMAND
      ${CMAKE_COMMAND} -D SAYS=${file}.txt -D BOTH=${both}
      -P ${PROJECT_SOURCE_DIR}/tools/compile_fail.cmake --
      ${command} ${precompiled} -fsyntax-only ${file}.cpp
    COMMAND_EXPAND_LISTS
  )
  set_tests_properties(
    compile_fail.batch_${number}
    PROPERTIES FIXTURES_SETUP compile_fail_${number} LABELS compile_fail TIMEOUT 120
  )
  if(both)
    set_tests_properties(compile_fail.batch_${number} PROPERTIES FIXTURES_REQUIRED umbrella)
  endif()
endfunction()

# otpp_add_refused_option(<name> <option> <message>)
#
# With this option of the compiler the library must say <message>, before any other error.
function(otpp_add_refused_option name option message)
  otpp_compile_command(command)
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp "#include <otpp/otpp.hpp>\n")
  add_test(
    NAME compile_fail.option_${name}
    COMMAND ${command} ${option} -Wfatal-errors -fsyntax-only ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp
    COMMAND_EXPAND_LISTS
  )
  set_tests_properties(
    compile_fail.option_${name}
    PROPERTIES PASS_REGULAR_EXPRESSION "${message}" LABELS compile_fail TIMEOUT 120
  )
endfunction()

# otpp_includes_asio(<result> <header>): whether a header of the library includes detail/asio.hpp, itself or through
# others.
function(otpp_includes_asio result header)
  get_property(known GLOBAL PROPERTY otpp_includes_asio_${header})
  if("${known}" STREQUAL "")
    set(known OFF)
    file(STRINGS ${PROJECT_SOURCE_DIR}/include/${header} includes REGEX "^#include <otpp/")
    foreach(line IN LISTS includes)
      string(REGEX REPLACE "^#include <([^>]+)>.*" "\\1" other "${line}")
      if(other STREQUAL "otpp/detail/asio.hpp")
        set(known ON)
      else()
        otpp_includes_asio(known ${other})
      endif()
      if(known)
        break()
      endif()
    endforeach()
    set_property(GLOBAL PROPERTY otpp_includes_asio_${header} ${known})
  endif()
  set(${result} ${known} PARENT_SCOPE)
endfunction()

# otpp_begins_with(<result> <header> <other header>): whether <other header> is what a header of the library includes
# first, or what that one does.
function(otpp_begins_with result header other)
  set(${result} OFF PARENT_SCOPE)
  while(NOT header STREQUAL other)
    file(STRINGS ${PROJECT_SOURCE_DIR}/include/${header} first REGEX "^#include" LIMIT_COUNT 1)
    if(NOT first MATCHES "<(otpp/[^>]+)>")
      return()
    endif()
    set(header ${CMAKE_MATCH_1})
  endwhile()
  set(${result} ON PARENT_SCOPE)
endfunction()

# otpp_precompile_header(<command> <header>): the header <name> below the folder headers, which is precompiled, and
# includes the library's header of that name.
#
# Clang instantiates in it what the header instantiates; g++'s would leave that, the greater part, to each who
# includes it.
function(otpp_precompile_header command header)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/headers/precompiled/${header})
  file(CONFIGURE OUTPUT ${file} CONTENT "#include <${header}>\n")
  add_custom_command(
    OUTPUT ${file}.pch
    COMMAND ${command} -fpch-instantiate-templates -x c++-header ${file} -MD -MF ${file}.d -MT ${file}.pch -o ${file}.pch
    DEPENDS ${file} DEPFILE ${file}.d
    COMMAND_EXPAND_LISTS VERBATIM
  )
endfunction()

# otpp_add_headers()
#
# The target otpp_headers: every header of the library, on its own. What CMake has for it,
# VERIFY_INTERFACE_HEADER_SETS, makes code of each, which takes twice as long.
#
# verify compiles all of them, with g++, and nothing is precompiled. Else those are left out that another header
# includes before all else, because its compilation begins with them: that misses only what the body of a template
# needs, which is looked for at the end of the translation unit, where that other header may have brought it.
#
# With Clang it takes half as long: each header that can be precompiled here comes first in what it is precompiled for, or is
# detail/asio.hpp. No header brings other headers of the system with Clang than with g++ 12, so what is not included is missed
# by either.
function(otpp_add_headers)
  otpp_compile_command(command)
  set(dir ${PROJECT_SOURCE_DIR}/include)
  file(GLOB_RECURSE headers RELATIVE ${dir} CONFIGURE_DEPENDS ${dir}/*.hpp)
  if(NOT TARGET otpp::observer)
    list(FILTER headers EXCLUDE REGEX "^otpp/observer[./]") # the parser of HTTP is not there
  endif()
  if(NOT TARGET otpp::dist_tls)
    list(FILTER headers EXCLUDE REGEX "^otpp/dist/(detail/)?tls[_.]") # OpenSSL is not there
  endif()
  if(NOT OTPP_VERIFY)
    list(FILTER headers EXCLUDE REGEX "^otpp/observer/detail/") # nobody else includes them; a minute, which verify has
    set(seen "")
    foreach(header IN LISTS headers)
      file(STRINGS ${dir}/${header} first REGEX "^#include" LIMIT_COUNT 1)
      if(first MATCHES "<(otpp/[^>]+)>")
        list(APPEND seen ${CMAKE_MATCH_1})
      endif()
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${dir}/${header})
    endforeach()
    list(REMOVE_ITEM headers ${seen})
  endif()
  # A third of the headers begins with that of server_ref, which brings most of the core.
  set(asio otpp/detail/asio.hpp)
  set(core otpp/address/server_ref.hpp)
  set(precompile OFF)
  if(NOT OTPP_VERIFY AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    set(precompile ON)
    otpp_precompile_header("${command}" ${asio})
    otpp_precompile_header("${command}" ${core})
  endif()
  set(stamps "")
  foreach(header IN LISTS headers)
    set(before "")
    set(needed "")
    if(precompile)
      otpp_begins_with(is_behind_core ${header} ${core})
      otpp_includes_asio(is_behind_asio ${header})
      if(is_behind_core)
        set(needed ${CMAKE_CURRENT_BINARY_DIR}/headers/precompiled/${core}.pch)
      elseif(is_behind_asio)
        set(needed ${CMAKE_CURRENT_BINARY_DIR}/headers/precompiled/${asio}.pch)
      endif()
    endif()
    if(needed)
      set(before -include-pch ${needed})
    endif()
    set(stamp ${CMAKE_CURRENT_BINARY_DIR}/headers/${header})
    cmake_path(GET stamp PARENT_PATH folder)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(
      OUTPUT ${stamp}.stamp
      COMMAND ${command} -fsyntax-only -MD -MF ${stamp}.d -MT ${stamp}.stamp ${before} -include ${header} -x c++ /dev/null
      COMMAND ${CMAKE_COMMAND} -E touch ${stamp}.stamp
      DEPENDS ${dir}/${header} ${needed}
      DEPFILE ${stamp}.d
      COMMAND_EXPAND_LISTS VERBATIM
    )
    list(APPEND stamps ${stamp}.stamp)
  endforeach()
  add_custom_target(otpp_headers DEPENDS ${stamps})
endfunction()

# otpp_add_consumer(<name> [SOURCE <folder>] [PROGRAM <name>] [<cache setting>...])
#
# <name>, a folder, is a user's project: configure, build and run it. Or it is in another folder, or its program has
# another name than `consumer`.
function(otpp_add_consumer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE;PROGRAM" "")
  if(NOT arg_SOURCE)
    set(arg_SOURCE ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  endif()
  if(NOT arg_PROGRAM)
    set(arg_PROGRAM consumer)
  endif()
  set(settings -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DOTPP_FETCH_DEPS=OFF ${arg_UNPARSED_ARGUMENTS})
  foreach(variable CMAKE_TOOLCHAIN_FILE OTPP_ASIO_INCLUDE_DIR asio_DIR)
    if(${variable})
      list(APPEND settings -D${variable}=${${variable}})
    endif()
  endforeach()
  add_test(
    NAME consumer.${name}
    COMMAND
      ${CMAKE_CTEST_COMMAND}
      --build-and-test ${arg_SOURCE}
                       ${CMAKE_CURRENT_BINARY_DIR}/${name}
      --build-generator ${CMAKE_GENERATOR}
      --build-options ${settings}
      --test-command ${arg_PROGRAM}
  )
  set_tests_properties(consumer.${name} PROPERTIES LABELS consumer TIMEOUT 300)
endfunction()

# otpp_add_plain_consumer(): the same program without CMake, as one call of the compiler.
function(otpp_add_plain_consumer)
  otpp_compile_command(command)
  set(program ${CMAKE_CURRENT_BINARY_DIR}/plain_consumer${CMAKE_EXECUTABLE_SUFFIX})
  add_test(
    NAME consumer.compile_plain
    COMMAND ${command} ${CMAKE_CURRENT_SOURCE_DIR}/main.cpp -o ${program} -pthread
    COMMAND_EXPAND_LISTS
  )
  add_test(NAME consumer.plain_include COMMAND ${program})
  set_tests_properties(
    consumer.compile_plain PROPERTIES FIXTURES_SETUP plain LABELS consumer TIMEOUT 300
  )
  set_tests_properties(
    consumer.plain_include PROPERTIES FIXTURES_REQUIRED plain LABELS consumer TIMEOUT 60
  )
endfunction()

# otpp_instrument_headers(<target> <script> [<file that the script reads>])
#
# A copy of the library's headers, as the script changes them, for a program that does not link otpp: no other
# copy of the headers is in its include path. MUTANTS is that file's name in the script.
function(otpp_instrument_headers target script)
  set(copy ${CMAKE_CURRENT_BINARY_DIR}/${target}.headers)
  file(GLOB_RECURSE headers ${PROJECT_SOURCE_DIR}/include/*.hpp)
  set(copies ${headers})
  list(TRANSFORM copies REPLACE "^${PROJECT_SOURCE_DIR}/include" ${copy})
  add_custom_command(
    OUTPUT ${copy}/stamp
    BYPRODUCTS ${copies} # else a build that makes them anew compiles nothing with them until the next one
    COMMAND ${CMAKE_COMMAND} -D FROM=${PROJECT_SOURCE_DIR}/include -D TO=${copy} -D MUTANTS=${ARGN} -P ${script}
    COMMAND ${CMAKE_COMMAND} -E touch ${copy}/stamp
    DEPENDS ${headers} ${script} ${ARGN}
    COMMENT "Instrumenting the headers of ${target}"
    VERBATIM
  )
  target_sources(${target} PRIVATE ${copy}/stamp)
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_include_directories(${target} BEFORE PRIVATE ${copy} ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE otpp::asio otpp_warnings)
endfunction()

# otpp_add_explorer(<target> <file of mutants, or empty> <source>...)
#
# A program in which the explorer of systematic/preemption runs a copy of the library's headers that has its
# atomics.
function(otpp_add_explorer target mutants)
  add_executable(${target} ${ARGN})
  otpp_instrument_headers(${target} ${CMAKE_CURRENT_SOURCE_DIR}/instrument.cmake ${mutants})
  # It runs more than a million schedules.
  target_compile_options(${target} PRIVATE -O1)
endfunction()

# otpp_add_fuzz(<name> <source>): the folder corpus, as the test fuzz.<name>; with OTPP_FUZZ the fuzzer too.
option(OTPP_FUZZ "Build the fuzz targets with libFuzzer" OFF)
function(otpp_add_fuzz name source)
  add_executable(otpp_fuzz_${name} ${source} ${PROJECT_SOURCE_DIR}/tests/systematic/fuzz/replay.cpp)
  target_link_libraries(otpp_fuzz_${name} PRIVATE otpp::otpp otpp_warnings)
  add_test(NAME fuzz.${name} COMMAND otpp_fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/corpus)
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  if(OTPP_FUZZ)
    add_executable(otpp_fuzzer_${name} ${source})
    target_compile_options(otpp_fuzzer_${name} PRIVATE -O1 -g1 -fsanitize=fuzzer,address)
    target_link_options(otpp_fuzzer_${name} PRIVATE -fsanitize=fuzzer,address)
    target_link_libraries(otpp_fuzzer_${name} PRIVATE otpp::otpp)
  endif()
endfunction()

# otpp_add_lint(<name>)
function(otpp_add_lint name)
  add_test(
    NAME lint.${name}
    COMMAND ${CMAKE_COMMAND} -D ROOT=${PROJECT_SOURCE_DIR}
            -P ${PROJECT_SOURCE_DIR}/tools/lint/${name}.cmake
  )
  set_tests_properties(lint.${name} PROPERTIES LABELS lint TIMEOUT 60)
endfunction()

# otpp_add_model(<name>)
#
# <name>.pml must hold; with any one MUTANT_ that it names defined, it must
# not. Without spin and a C compiler there are no such tests.
function(otpp_add_model name)
  find_program(OTPP_SPIN spin)
  find_program(OTPP_CC NAMES cc gcc clang)
  if(NOT OTPP_SPIN OR NOT OTPP_CC)
    message(STATUS "otpp: model.${name} is not run: it needs spin (Debian: spin) and a C compiler.")
    return()
  endif()
  set(model ${CMAKE_CURRENT_SOURCE_DIR}/${name}.pml)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${model})
  file(STRINGS ${model} mutants REGEX "MUTANT_")
  list(TRANSFORM mutants REPLACE ".*MUTANT_([a-z_]+).*" "\\1")
  list(REMOVE_DUPLICATES mutants)
  set(
    command
    ${CMAKE_COMMAND} -D MODEL=${model} -D SPIN=${OTPP_SPIN} -D CC=${OTPP_CC}
    -D WORK=${CMAKE_CURRENT_BINARY_DIR}/${name}
  )
  set(script -P ${PROJECT_SOURCE_DIR}/tools/run_model.cmake)
  add_test(NAME model.${name} COMMAND ${command} ${script})
  set_tests_properties(model.${name} PROPERTIES LABELS model TIMEOUT 120)
  foreach(mutant IN LISTS mutants)
    add_test(NAME model.${name}.${mutant} COMMAND ${command}.${mutant} -D MUTANT=${mutant} ${script})
    set_tests_properties(model.${name}.${mutant} PROPERTIES LABELS model TIMEOUT 120)
  endforeach()
endfunction()
