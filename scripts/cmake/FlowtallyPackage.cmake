# What is installed, and the Debian packages of it: `scripts/package`, or `cpack -G DEB` in a release build.
include(GNUInstallDirs)
set(deploy "${PROJECT_SOURCE_DIR}/scripts/deploy")
install(TARGETS flowtally RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT flowtally)
install(TARGETS flowtally_kafka LIBRARY DESTINATION lib/flowtally COMPONENT kafka)
install(FILES "${deploy}/systemd/flowtally.service" "${deploy}/systemd/flowtally.socket"
        DESTINATION lib/systemd/system COMPONENT flowtally)
install(FILES "${deploy}/systemd/flowtally.sysusers" DESTINATION lib/sysusers.d RENAME flowtally.conf COMPONENT flowtally)
install(FILES "${deploy}/systemd/flowtally.tmpfiles" DESTINATION lib/tmpfiles.d RENAME flowtally.conf COMPONENT flowtally)
install(FILES "${PROJECT_SOURCE_DIR}/scripts/completion/flowtally.bash"
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME flowtally COMPONENT flowtally)
install(FILES "${PROJECT_SOURCE_DIR}/scripts/completion/_flowtally"
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT flowtally)
install(FILES "${PROJECT_SOURCE_DIR}/scripts/completion/flowtally.fish"
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT flowtally)
install(DIRECTORY "${deploy}/grafana" "${deploy}/opensearch" "${deploy}/splunk"
        DESTINATION ${CMAKE_INSTALL_DATADIR}/flowtally COMPONENT flowtally)
# The conffile is short and stays as it is, so that dpkg has nothing to ask at an upgrade; the example changes with the keys.
install(FILES "${deploy}/debian/flowtally.yaml" DESTINATION /etc/flowtally COMPONENT flowtally)
install(FILES "${deploy}/flowtally.yaml" DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/flowtally/examples COMPONENT flowtally)

# Compressed without a time in it, so that the same sources give the same package.
set(compressed "${CMAKE_CURRENT_BINARY_DIR}/package")
file(MAKE_DIRECTORY "${compressed}")
string(TIMESTAMP changelog_date "%a, %d %b %Y %H:%M:%S +0000" UTC) # of SOURCE_DATE_EPOCH where that is set
file(READ "${deploy}/debian/changelog" changelog)
string(REPLACE "@VERSION@" "${PROJECT_VERSION}" changelog "${changelog}")
string(REPLACE "@DATE@" "${changelog_date}" changelog "${changelog}")
file(WRITE "${compressed}/changelog" "${changelog}")
execute_process(COMMAND gzip -9nc "${PROJECT_SOURCE_DIR}/docs/man/flowtally.1" OUTPUT_FILE "${compressed}/flowtally.1.gz")
execute_process(COMMAND gzip -9nc "${compressed}/changelog" OUTPUT_FILE "${compressed}/changelog.gz")
install(FILES "${compressed}/flowtally.1.gz" DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT flowtally)
foreach(package flowtally kafka)
  set(folder ${package})
  if(package STREQUAL kafka)
    set(folder flowtally-kafka)
  endif()
  install(FILES "${deploy}/debian/copyright" "${compressed}/changelog.gz"
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${folder} COMPONENT ${package})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME flowtally)
set(CPACK_PACKAGE_VENDOR flowtally)
set(CPACK_PACKAGE_CONTACT "flowtally authors <flowtally@users.noreply.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "exact network flow logs of a tailnet node")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL flowtally kafka)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_FLOWTALLY_PACKAGE_NAME flowtally)
set(CPACK_DEBIAN_KAFKA_PACKAGE_NAME flowtally-kafka)
set(CPACK_COMPONENT_FLOWTALLY_DESCRIPTION
  "An eBPF program on the interface of Tailscale counts packets and bytes of
each connection in the kernel; flowtally writes them as records in the
format of Tailscale's network flow logs, keeps them, answers questions
about them on a Unix socket and streams them to Splunk, Elasticsearch,
OTLP, S3 and others.")
set(CPACK_COMPONENT_KAFKA_DESCRIPTION
  "The module by which flowtally streams its records to Kafka.")
set(CPACK_DEBIAN_FLOWTALLY_PACKAGE_DEPENDS "init-system-helpers (>= 1.54~), systemd | systemd-standalone-tmpfiles, systemd | systemd-standalone-sysusers, passwd")
set(CPACK_DEBIAN_FLOWTALLY_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_FLOWTALLY_PACKAGE_SUGGESTS "flowtally-kafka, tailscale")
set(CPACK_DEBIAN_KAFKA_PACKAGE_DEPENDS "flowtally (= ${PROJECT_VERSION})")
file(WRITE "${compressed}/conffiles" "/etc/flowtally/flowtally.yaml\n")
set(CPACK_DEBIAN_FLOWTALLY_PACKAGE_CONTROL_EXTRA
    "${deploy}/debian/postinst;${deploy}/debian/prerm;${deploy}/debian/postrm;${compressed}/conffiles")
include(CPack)
