# The few kinds of target the project has.

# Flags of everything written here; -Werror comes from the presets only.
add_library(flowtally_flags INTERFACE)
target_compile_options(flowtally_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
  # What a designated initialiser does not name is meant to have its default.
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wno-missing-designated-field-initializers>)
# abi.h and the UAPI headers are plain C.
target_include_directories(flowtally_flags INTERFACE "${PROJECT_SOURCE_DIR}/agent" "${PROJECT_SOURCE_DIR}/include")

# flowtally_library(NAME [PER_FLOW] SRCS a.cpp… DEPS base…): static library flowtally::NAME from one folder of agent/.
# PER_FLOW: it does something for each flow, so it is made fast in builds that are small in all else (the image's, whose
# type is None; ADR 11).
function(flowtally_library name)
  cmake_parse_arguments(arg "PER_FLOW" "" "SRCS;DEPS;LINK" ${ARGN})
  set(target flowtally_${name})
  add_library(${target} STATIC ${arg_SRCS})
  add_library(flowtally::${name} ALIAS ${target})
  target_link_libraries(${target} PUBLIC flowtally_flags)
  foreach(dep ${arg_DEPS})
    target_link_libraries(${target} PUBLIC flowtally_${dep})
  endforeach()
  target_link_libraries(${target} PUBLIC ${arg_LINK})
  if(arg_PER_FLOW)
    target_compile_options(${target} PRIVATE $<$<CONFIG:None>:-O2>)
  endif()
endfunction()

# flowtally_bpf(NAME SOURCE): compiles SOURCE for BPF and makes NAME.skel.h; INTERFACE target NAME_skel. Files are
# written aside and renamed, so that an interrupted build leaves nothing half made.
function(flowtally_bpf name source)
  set(dir "${CMAKE_CURRENT_BINARY_DIR}/${name}_skel")
  file(MAKE_DIRECTORY "${dir}")
  set(object "${dir}/${name}.bpf.o")
  set(skeleton "${dir}/${name}.skel.h")
  if(NOT CMAKE_LIBRARY_ARCHITECTURE)
    execute_process(COMMAND "${BPF_CLANG}" -print-multiarch OUTPUT_VARIABLE CMAKE_LIBRARY_ARCHITECTURE
                    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  add_custom_command(
    OUTPUT "${object}"
    COMMAND "${BPF_CLANG}" -std=gnu11 -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror
            # The names of the files are in the object: not where this folder happens to lie.
            "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=." "-ffile-prefix-map=${CMAKE_BINARY_DIR}=build"
            -I "${PROJECT_SOURCE_DIR}/include" -I "${PROJECT_SOURCE_DIR}"
            -idirafter "/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}"
            -MD -MT "${object}" -MF "${object}.d" -c "${source}" -o "${object}.new"
    COMMAND "${BPFTOOL}" gen object "${object}.linked" "${object}.new"
    COMMAND "${CMAKE_COMMAND}" -E rename "${object}.linked" "${object}"
    COMMAND "${CMAKE_COMMAND}" -E rm "${object}.new"
    DEPENDS "${source}" DEPFILE "${object}.d" COMMENT "BPF ${name}" VERBATIM)
  add_custom_command(
    OUTPUT "${skeleton}"
    COMMAND "${BPFTOOL}" gen skeleton "${object}" name ${name} > "${skeleton}.new"
    COMMAND "${CMAKE_COMMAND}" -E rename "${skeleton}.new" "${skeleton}"
    DEPENDS "${object}" COMMENT "skeleton ${name}" VERBATIM)
  add_custom_target(${name}_skel_files DEPENDS "${skeleton}")
  add_library(${name}_skel INTERFACE)
  add_dependencies(${name}_skel ${name}_skel_files)
  target_include_directories(${name}_skel SYSTEM INTERFACE "${dir}")
  target_link_libraries(${name}_skel INTERFACE PkgConfig::LIBBPF)
endfunction()

# flowtally_test(NAME LABELS unit… SRCS a_test.cpp… DEPS record… [TIMEOUT s]): one test program, one ctest entry with the
# labels. Exit 77 is a skip with its reason printed (tests/support/main.cpp).
# FLOWTALLY_TEST_LABELS: only tests with one of these are built; empty: all. test_paths.h has the paths of this tree; whoever
# needs one includes it, so that a compiler's cache has the others' objects for every tree.
set(FLOWTALLY_TEST_LABELS "" CACHE STRING "Labels of the tests that are built; empty: all")
function(flowtally_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "LABELS;SRCS;DEPS;LINK" ${ARGN})
  if(FLOWTALLY_TEST_LABELS)
    set(wanted ${arg_LABELS})
    list(REMOVE_ITEM wanted ${FLOWTALLY_TEST_LABELS})
    if(wanted STREQUAL arg_LABELS)
      return()
    endif()
  endif()
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE flowtally_flags flowtally_test_main ${arg_LINK})
  foreach(dep ${arg_DEPS})
    target_link_libraries(${name} PRIVATE flowtally_${dep})
  endforeach()
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}"
                             "${PROJECT_BINARY_DIR}/tests/paths")
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT})
  if("net" IN_LIST arg_LABELS OR "bpf" IN_LIST arg_LABELS)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()


# flowtally_fuzz(NAME SRCS a_fuzz.cpp DEPS record… [SEEDS dir]): a libFuzzer program; ctest runs it for
# FLOWTALLY_FUZZ_SECONDS, from the seeds and from what it found before in this build tree.
set(FLOWTALLY_FUZZ_SECONDS 20 CACHE STRING "Seconds that ctest lets each fuzz target run")
function(flowtally_fuzz name)
  cmake_parse_arguments(arg "" "SEEDS" "SRCS;DEPS;LINK" ${ARGN})
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE flowtally_flags ${arg_LINK})
  foreach(dep ${arg_DEPS})
    target_link_libraries(${name} PRIVATE flowtally_${dep})
  endforeach()
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}")
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set(corpus "${CMAKE_CURRENT_BINARY_DIR}/${name}_corpus")
  file(MAKE_DIRECTORY "${corpus}")
  add_test(NAME ${name} COMMAND ${name} -max_total_time=${FLOWTALLY_FUZZ_SECONDS} -print_final_stats=1
           -rss_limit_mb=2048 "${corpus}" ${arg_SEEDS})
  math(EXPR timeout "${FLOWTALLY_FUZZ_SECONDS} + 60")
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT ${timeout})
endfunction()
