# Provides otpp::asio, standalone Asio as otpp links to it. Where it comes from, in order:
#   1. the target asio::asio, where the surrounding project has one
#   2. a package config (vcpkg, Conan)
#   3. asio.hpp in OTPP_ASIO_INCLUDE_DIR or on the system's paths (Debian, Homebrew)
#   4. a pinned download, with OTPP_FETCH_DEPS
# It is a target of our own: an asio::asio made here would stop a later find_package(asio) of
# the surrounding project.
#
# Sets otpp_asio_origin, or otpp_asio_error where there is none: an installed otpp must report
# that to find_package instead of stopping. Installed with us; otpp_asio_scope is GLOBAL in our
# own build and empty there.
set(otpp_asio_minimum 1.22.1) # Debian 12
set(otpp_asio_error "")
if(TARGET otpp::asio)
  return()
endif()

# The three paragraphs below need variables; the function keeps them from the caller.
function(otpp_find_asio)
  set(otpp_asio_origin "" PARENT_SCOPE)

  if(NOT TARGET asio::asio AND NOT OTPP_ASIO_INCLUDE_DIR)
    if(otpp_asio_scope)
      set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON) # CMake 3.24
    endif()
    find_package(asio ${otpp_asio_minimum} CONFIG QUIET)
  endif()
  if(TARGET asio::asio)
    add_library(otpp::asio INTERFACE IMPORTED ${otpp_asio_scope})
    set_property(TARGET otpp::asio PROPERTY INTERFACE_LINK_LIBRARIES asio::asio)
    set(otpp_asio_origin "the target asio::asio" PARENT_SCOPE)
    return()
  endif()

  find_path(OTPP_ASIO_INCLUDE_DIR asio.hpp DOC "The folder that holds asio.hpp")
  mark_as_advanced(OTPP_ASIO_INCLUDE_DIR)
  set(dir "${OTPP_ASIO_INCLUDE_DIR}")
  if(NOT dir AND OTPP_FETCH_DEPS)
    message(STATUS "otpp: Asio is not installed; downloading it. Without a network, install it "
      "(Debian: libasio-dev), or set OTPP_ASIO_INCLUDE_DIR or FETCHCONTENT_SOURCE_DIR_ASIO.")
    include(FetchContent)
    FetchContent_Declare(
      asio
      GIT_REPOSITORY https://github.com/chriskohlhoff/asio.git
      GIT_TAG 231cb29bab30f82712fcd54faaea42424cc6e710 # asio-1-36-0
      SOURCE_SUBDIR no-cmake-here # only the headers are wanted
    )
    FetchContent_MakeAvailable(asio)
    foreach(candidate include asio/include) # later releases moved it
      if(NOT dir AND EXISTS "${asio_SOURCE_DIR}/${candidate}/asio.hpp")
        set(dir "${asio_SOURCE_DIR}/${candidate}")
      endif()
    endforeach()
  endif()
  if(NOT dir)
    set(otpp_asio_error
      "otpp needs standalone Asio ${otpp_asio_minimum} or later and did not find asio.hpp.\n"
      "  Debian, Ubuntu: apt-get install libasio-dev\n"
      "  or set OTPP_ASIO_INCLUDE_DIR to the folder that holds asio.hpp,\n"
      "  or set OTPP_FETCH_DEPS=ON when building otpp from source, to download it.")
    string(CONCAT otpp_asio_error ${otpp_asio_error})
    set(otpp_asio_error "${otpp_asio_error}" PARENT_SCOPE)
    return()
  endif()

  set(number "")
  if(EXISTS "${dir}/asio/version.hpp")
    file(STRINGS "${dir}/asio/version.hpp" number REGEX "^#define ASIO_VERSION +[0-9]+")
    string(REGEX MATCH "[0-9]+" number "${number}")
  endif()
  if(NOT number)
    set(otpp_asio_error "otpp: '${dir}' (OTPP_ASIO_INCLUDE_DIR) holds no asio/version.hpp."
      PARENT_SCOPE)
    return()
  endif()
  math(EXPR major "${number} / 100000")
  math(EXPR minor "${number} / 100 % 1000")
  math(EXPR patch "${number} % 100")
  set(version ${major}.${minor}.${patch})
  if(version VERSION_LESS otpp_asio_minimum)
    set(otpp_asio_error
      "otpp needs Asio ${otpp_asio_minimum} or later; '${dir}' holds ${version}." PARENT_SCOPE)
    return()
  endif()

  add_library(otpp::asio INTERFACE IMPORTED ${otpp_asio_scope})
  target_include_directories(otpp::asio INTERFACE "${dir}")
  # Not Threads::Threads: that target would be known in this folder only, and
  # otpp::asio is used from others.
  find_package(Threads REQUIRED)
  if(CMAKE_THREAD_LIBS_INIT)
    target_link_libraries(otpp::asio INTERFACE ${CMAKE_THREAD_LIBS_INIT})
  endif()
  if(version VERSION_LESS 1.26)
    # These look for the Coroutines TS on Clang, and find nothing.
    target_compile_definitions(
      otpp::asio INTERFACE $<$<CXX_COMPILER_ID:Clang,AppleClang>:ASIO_HAS_CO_AWAIT=1>
    )
  endif()
  set(otpp_asio_origin "${dir} (${version})" PARENT_SCOPE)
endfunction()

otpp_find_asio()
