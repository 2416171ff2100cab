# Copies what the program is built of from FROM to TO, and makes the ABI a later one: its number is one more, and
# structures that may grow have grown at their end, as docs/formats/abi.md allows. What has not changed keeps its time.
file(GLOB_RECURSE files RELATIVE "${FROM}" "${FROM}/agent/*" "${FROM}/bpf/*" "${FROM}/include/*" "${FROM}/scripts/cmake/*")
foreach(file CMakeLists.txt ${files})
  if(file STREQUAL "include/flowtally/abi.h")
    continue()
  endif()
  get_filename_component(folder "${TO}/${file}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  file(COPY_FILE "${FROM}/${file}" "${TO}/${file}" ONLY_IF_DIFFERENT)
endforeach()

file(READ "${FROM}/include/flowtally/abi.h" abi)
function(change before after)
  string(FIND "${abi}" "${before}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "abi.h has no \"${before}\": what the next ABI is made of has changed")
  endif()
  string(REPLACE "${before}" "${after}" changed "${abi}")
  set(abi "${changed}" PARENT_SCOPE)
endfunction()
string(REGEX MATCH "define FT_ABI_VERSION ([0-9]+)u" found "${abi}")
math(EXPR next "${CMAKE_MATCH_1} + 1")
change("${found}" "define FT_ABI_VERSION ${next}u")
change("    __u8 pad[3];
};
FT_ASSERT_SIZE(struct ft_flow4_key, 16);" "    __u8 pad[3];
    __u8 later[4];
};
FT_ASSERT_SIZE(struct ft_flow4_key, 20);")
change("    __u64 coarse_insert_failures[FT_INSERT_FAILURES];
};" "    __u64 coarse_insert_failures[FT_INSERT_FAILURES];
    __u64 later[2];
};")
change("6 * 32 + 8 * 8" "2 * 8 + 6 * 32 + 8 * 8")
change("    struct ft_counters tcp;                         /* relays, control, logs; not part of hook */
};
FT_ASSERT_SIZE(struct ft_underlay_totals, 224);" "    struct ft_counters tcp;
    __u64 later;
};
FT_ASSERT_SIZE(struct ft_underlay_totals, 232);")
file(CONFIGURE OUTPUT "${TO}/include/flowtally/abi.h" CONTENT "${abi}" @ONLY)
