# What the build needs from the machine. Each check says what is missing and what installs it.
set(FLOWTALLY_SETUP_HINT "Run `sudo scripts/setup`, which installs everything the build needs.")

include(CheckCXXSourceCompiles)
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_REQUIRED_FLAGS "-std=c++23")
check_cxx_source_compiles("#include <expected>\nint main() { return std::expected<int, int>(0).value(); }"
                          FLOWTALLY_HAS_EXPECTED)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT FLOWTALLY_HAS_EXPECTED)
  message(FATAL_ERROR "${CMAKE_CXX_COMPILER} has no std::expected: g++ >= 12 or clang++ >= 19 is needed. ${FLOWTALLY_SETUP_HINT}")
endif()

# The image's program: of shared libraries only those of glibc. Debian's static ones are taken, and those that
# scripts/static-libraries has made.
set(FLOWTALLY_STATIC "" CACHE PATH "Link statically, with the libraries that scripts/static-libraries has put there")
if(FLOWTALLY_STATIC)
  list(PREPEND CMAKE_PREFIX_PATH "${FLOWTALLY_STATIC}")
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
  set(PKG_CONFIG_ARGN --static)
  add_link_options(-static-libgcc -static-libstdc++)
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBBPF IMPORTED_TARGET "libbpf>=1.3")
if(NOT LIBBPF_FOUND)
  message(FATAL_ERROR "libbpf >= 1.3 is needed (its TCX calls); on Debian 12 it is in bookworm-backports. ${FLOWTALLY_SETUP_HINT}")
endif()

foreach(package zstd xxhash microhttpd)
  string(TOUPPER ${package} name)
  pkg_check_modules(${name} IMPORTED_TARGET "lib${package}")
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "the library lib${package} was not found. ${FLOWTALLY_SETUP_HINT}")
  endif()
endforeach()

find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /usr/local/sbin)
if(NOT BPFTOOL)
  message(FATAL_ERROR "bpftool is needed (it makes the skeleton header). ${FLOWTALLY_SETUP_HINT}")
endif()

find_program(BPF_CLANG NAMES clang-19 clang-20 clang-18 clang-17 clang-16 clang)
if(NOT BPF_CLANG)
  message(FATAL_ERROR "clang >= 16 with the BPF target is needed. ${FLOWTALLY_SETUP_HINT}")
endif()

find_package(Threads REQUIRED)
if(FLOWTALLY_STATIC) # its package knows the shared one only
  find_library(YAML_CPP_STATIC yaml-cpp REQUIRED)
  add_library(yaml-cpp STATIC IMPORTED GLOBAL)
  set_target_properties(yaml-cpp PROPERTIES IMPORTED_LOCATION "${YAML_CPP_STATIC}")
  set(yaml-cpp_FOUND TRUE)
endif()
foreach(package fmt spdlog CLI11 simdjson CURL yaml-cpp prometheus-cpp ZLIB)
  if(NOT ${package}_FOUND)
    find_package(${package} QUIET)
  endif()
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "the library ${package} was not found. ${FLOWTALLY_SETUP_HINT}")
  endif()
endforeach()
