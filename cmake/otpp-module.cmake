# Provides otpp::module, with which `import otpp;` compiles: a library, because a module has an object. It is compiled in the
# project that asks for it, since a module is read only by the compiler and with the options that it was made with.
#
# Sets otpp_module_error where there can be none. Installed with us; otpp_include_dir is the folder with otpp/otpp.cppm.
set(otpp_module_error "")
if(TARGET otpp_module)
  return()
endif()
if(CMAKE_VERSION VERSION_LESS 3.28)
  set(otpp_module_error
    "otpp::module needs CMake 3.28 or later; docs/compilers.md has the commands that do without CMake.")
elseif(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  set(otpp_module_error "otpp::module needs clang 19 or later: no other compiler has been tried.")
elseif(NOT CMAKE_GENERATOR MATCHES "Ninja")
  set(otpp_module_error "otpp::module needs the generator Ninja: CMake builds modules with no other one, and clang.")
elseif(NOT CMAKE_CXX_COMPILER_CLANG_SCAN_DEPS)
  set(otpp_module_error "otpp::module needs clang-scan-deps (Debian: clang-tools-19).")
else()
  add_library(otpp_module STATIC EXCLUDE_FROM_ALL)
  add_library(otpp::module ALIAS otpp_module)
  target_sources(
    otpp_module PUBLIC FILE_SET CXX_MODULES BASE_DIRS "${otpp_include_dir}" FILES "${otpp_include_dir}/otpp/otpp.cppm"
  )
  target_link_libraries(otpp_module PUBLIC otpp::otpp)
endif()
