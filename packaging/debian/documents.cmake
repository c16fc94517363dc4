# Run by CPack when the files of the package are in place, before they are packed.
cmake_minimum_required(VERSION 3.23)
set(documents ${CPACK_TEMPORARY_DIRECTORY}/usr/share/doc/libotpp-dev)
file(MAKE_DIRECTORY ${documents})
configure_file(${CMAKE_CURRENT_LIST_DIR}/copyright ${documents}/copyright COPYONLY)
file(CHMOD ${documents}/copyright PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
execute_process(
  COMMAND gzip -9 -n -c ${CMAKE_CURRENT_LIST_DIR}/changelog
  OUTPUT_FILE ${documents}/changelog.Debian.gz
  COMMAND_ERROR_IS_FATAL ANY
)
execute_process(
  COMMAND gzip -9 -n -c ${CMAKE_CURRENT_LIST_DIR}/../../CHANGELOG.md
  OUTPUT_FILE ${documents}/changelog.gz
  COMMAND_ERROR_IS_FATAL ANY
)
foreach(name IN ITEMS changelog.Debian.gz changelog.gz)
  file(CHMOD ${documents}/${name} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()
