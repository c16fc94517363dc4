# `cpack -G DEB`: libotpp-dev, for Debian and Ubuntu. tools/make_deb calls it, with what must not be in a package switched off.
set(CPACK_PACKAGE_CONTACT "otpp maintainers <maintainers@example.org>") # who packages it puts an address here
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE
)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_NAME libotpp-dev)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libasio-dev (>= 1:1.22.1)")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libhttp-parser-dev | libllhttp-dev, libssl-dev")
file(READ packaging/debian/description CPACK_DEBIAN_PACKAGE_DESCRIPTION)
string(STRIP "${CPACK_DEBIAN_PACKAGE_DESCRIPTION}" CPACK_DEBIAN_PACKAGE_DESCRIPTION)

# What Debian wants in /usr/share/doc, and no other way to install has.
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/debian/documents.cmake)
include(CPack)
