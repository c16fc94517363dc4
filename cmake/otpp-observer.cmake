# Provides otpp::http_parser, the library that otpp/observer.hpp reads HTTP with: llhttp, else http_parser, which came
# before it. The headers look for them in the same order. Where it comes from:
#   1. a target of llhttp's, where the surrounding project has one
#   2. a package config (Debian 13, vcpkg, Conan)
#   3. header and library in OTPP_LLHTTP_INCLUDE_DIR and OTPP_LLHTTP_LIBRARY, or on the system's paths
#   4. the same of http_parser (Debian 12)
#   5. a download of llhttp, with OTPP_BUILD_OBSERVER and OTPP_FETCH_DEPS
#
# Sets otpp_http_parser_origin, or otpp_http_parser_error where there is none. Installed with us; otpp_asio_scope as
# in otpp-asio.cmake.
set(otpp_http_parser_error "")
if(TARGET otpp::http_parser)
  return()
endif()

# The function keeps its variables from the caller.
function(otpp_find_http_parser)
  set(otpp_http_parser_origin "" PARENT_SCOPE)
  set(targets llhttp::llhttp llhttp::llhttp_shared llhttp::llhttp_static llhttp_shared llhttp_static)

  foreach(has_looked FALSE TRUE)
    foreach(target IN LISTS targets)
      if(TARGET ${target})
        add_library(otpp::http_parser INTERFACE IMPORTED ${otpp_asio_scope})
        set_property(TARGET otpp::http_parser PROPERTY INTERFACE_LINK_LIBRARIES ${target})
        set(otpp_http_parser_origin "the target ${target}" PARENT_SCOPE)
        return()
      endif()
    endforeach()
    if(NOT has_looked)
      if(otpp_asio_scope)
        set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON) # CMake 3.24
      endif()
      find_package(llhttp CONFIG QUIET)
    endif()
  endforeach()

  find_path(OTPP_LLHTTP_INCLUDE_DIR llhttp.h DOC "The folder that holds llhttp.h")
  find_library(OTPP_LLHTTP_LIBRARY llhttp DOC "The library llhttp")
  find_path(OTPP_HTTP_PARSER_INCLUDE_DIR http_parser.h DOC "The folder that holds http_parser.h")
  find_library(OTPP_HTTP_PARSER_LIBRARY http_parser DOC "The library http_parser")
  mark_as_advanced(
    OTPP_LLHTTP_INCLUDE_DIR OTPP_LLHTTP_LIBRARY OTPP_HTTP_PARSER_INCLUDE_DIR OTPP_HTTP_PARSER_LIBRARY
  )
  if(OTPP_LLHTTP_INCLUDE_DIR AND OTPP_LLHTTP_LIBRARY)
    set(dir "${OTPP_LLHTTP_INCLUDE_DIR}")
    set(library "${OTPP_LLHTTP_LIBRARY}")
  elseif(OTPP_LLHTTP_INCLUDE_DIR)
    set(otpp_http_parser_error
      "otpp: '${OTPP_LLHTTP_INCLUDE_DIR}' holds llhttp.h, but the library llhttp was not found (OTPP_LLHTTP_LIBRARY)."
      PARENT_SCOPE)
    return()
  elseif(OTPP_HTTP_PARSER_INCLUDE_DIR AND OTPP_HTTP_PARSER_LIBRARY)
    set(dir "${OTPP_HTTP_PARSER_INCLUDE_DIR}")
    set(library "${OTPP_HTTP_PARSER_LIBRARY}")
  else()
    set(otpp_http_parser_error
      "otpp::observer needs llhttp or http_parser and found neither (Debian: libllhttp-dev, or libhttp-parser-dev)."
      PARENT_SCOPE)
    return()
  endif()
  add_library(otpp::http_parser INTERFACE IMPORTED ${otpp_asio_scope})
  target_include_directories(otpp::http_parser INTERFACE "${dir}")
  target_link_libraries(otpp::http_parser INTERFACE "${library}")
  set(otpp_http_parser_origin "${library}" PARENT_SCOPE)
endfunction()

otpp_find_http_parser()

# Not by llhttp's own CMakeLists.txt, which changes the build type and installs with us.
if(NOT TARGET otpp::http_parser AND OTPP_BUILD_OBSERVER AND OTPP_FETCH_DEPS AND NOT OTPP_LLHTTP_INCLUDE_DIR)
  message(STATUS "otpp: llhttp is not installed; downloading it. Without a network, install it (Debian: libllhttp-dev, "
    "or libhttp-parser-dev), or set FETCHCONTENT_SOURCE_DIR_LLHTTP, or OTPP_BUILD_OBSERVER=OFF.")
  include(FetchContent)
  FetchContent_Declare(
    llhttp
    GIT_REPOSITORY https://github.com/nodejs/llhttp.git
    GIT_TAG release/v9.3.0 # the releases hold the generated sources
    SOURCE_SUBDIR no-cmake-here
  )
  FetchContent_MakeAvailable(llhttp)
  enable_language(C)
  add_library(
    otpp_llhttp STATIC EXCLUDE_FROM_ALL
    ${llhttp_SOURCE_DIR}/src/api.c ${llhttp_SOURCE_DIR}/src/http.c ${llhttp_SOURCE_DIR}/src/llhttp.c
  )
  set_target_properties(otpp_llhttp PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(otpp_llhttp SYSTEM PUBLIC ${llhttp_SOURCE_DIR}/include)
  add_library(otpp::http_parser ALIAS otpp_llhttp)
  set(otpp_http_parser_error "")
  set(otpp_http_parser_origin "${llhttp_SOURCE_DIR}")
endif()
