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

find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBBPF IMPORTED_TARGET "libbpf>=1.3")
if(NOT LIBBPF_FOUND)
  message(FATAL_ERROR "libbpf >= 1.3 is needed (its TCX calls); on Debian 12 it is in bookworm-backports. ${FLOWTALLY_SETUP_HINT}")
endif()

find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /usr/local/sbin)
if(NOT BPFTOOL)
  message(FATAL_ERROR "bpftool is needed (it makes the skeleton header). ${FLOWTALLY_SETUP_HINT}")
endif()

find_program(BPF_CLANG NAMES clang-19 clang-20 clang-18 clang-17 clang-16 clang)
if(NOT BPF_CLANG)
  message(FATAL_ERROR "clang >= 16 with the BPF target is needed. ${FLOWTALLY_SETUP_HINT}")
endif()

find_package(Threads REQUIRED)
foreach(package fmt spdlog CLI11 simdjson CURL yaml-cpp)
  find_package(${package} QUIET)
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "the library ${package} was not found. ${FLOWTALLY_SETUP_HINT}")
  endif()
endforeach()
