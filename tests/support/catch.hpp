// Catch2 v2 and v3 behind one include. v3 is what scripts/setup installs.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
