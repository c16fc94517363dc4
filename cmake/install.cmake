include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# share/, not lib/: nothing here depends on the architecture.
set(otpp_cmake_dir ${CMAKE_INSTALL_DATADIR}/cmake/otpp)

install(TARGETS otpp otpp_dist EXPORT otpp-targets FILE_SET HEADERS)
install(EXPORT otpp-targets NAMESPACE otpp:: DESTINATION ${otpp_cmake_dir})

# For find_package(otpp COMPONENTS dist_tls): a file of its own, because only those who ask for it need OpenSSL.
if(TARGET otpp_dist_tls)
  install(TARGETS otpp_dist_tls EXPORT otpp-dist-tls-targets FILE_SET HEADERS)
  install(EXPORT otpp-dist-tls-targets NAMESPACE otpp:: DESTINATION ${otpp_cmake_dir})
endif()

configure_package_config_file(
  cmake/otpp-config.cmake.in otpp-config.cmake
  INSTALL_DESTINATION ${otpp_cmake_dir}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR
)
write_basic_package_version_file(
  otpp-config-version.cmake
  COMPATIBILITY SameMinorVersion # while the major version is 0
  ARCH_INDEPENDENT
)
install(
  FILES
    ${PROJECT_BINARY_DIR}/otpp-config.cmake
    ${PROJECT_BINARY_DIR}/otpp-config-version.cmake
    cmake/otpp-asio.cmake
    cmake/otpp-module.cmake # for find_package(otpp COMPONENTS module)
    cmake/otpp-observer.cmake # likewise
  DESTINATION ${otpp_cmake_dir}
)
install(FILES include/otpp/otpp.cppm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/otpp)

# For those who do not use CMake. No "Requires: asio": Debian 12's Asio has no asio.pc.
configure_file(cmake/otpp.pc.in otpp.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/otpp.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
