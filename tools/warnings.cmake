# Warnings for our own programs only. Never linked to otpp, never exported.
# Whether they are errors is CMake's own switch: CMAKE_COMPILE_WARNING_AS_ERROR.
add_library(otpp_warnings INTERFACE)
if(MSVC)
  target_compile_options(otpp_warnings INTERFACE /W4 /permissive-)
else()
  target_compile_options(
    otpp_warnings
    INTERFACE
      -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
      -Wcast-align -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wunused
  )
endif()
