# Filled in for a release: REPO, and SHA512 of the archive of its tag.
vcpkg_from_github(
  OUT_SOURCE_PATH SOURCE_PATH
  REPO otpp/otpp
  REF "v${VERSION}"
  SHA512 0
  HEAD_REF main
)

vcpkg_check_features(
  OUT_FEATURE_OPTIONS features
  FEATURES
    dist-tls OTPP_BUILD_DIST_TLS
)

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    ${features}
    -DOTPP_BUILD_EXAMPLES=OFF
    -DOTPP_BUILD_OBSERVER=OFF # found by find_package(otpp COMPONENTS observer), not here
    -DOTPP_BUILD_TESTS=OFF
    -DOTPP_BUILD_TOP=OFF
    -DOTPP_FETCH_DEPS=OFF
    -DOTPP_INSTALL=ON
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/otpp)
vcpkg_fixup_pkgconfig()

# Headers only.
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug" "${CURRENT_PACKAGES_DIR}/lib")

vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
