#include "cli/human.hpp"

#include "support/catch.hpp"

namespace flowtally::test {

TEST_CASE("amounts have three digits and a unit in powers of 1000", "[unit]") {
  CHECK(cli::bytes_text(0) == "0 B");
  CHECK(cli::bytes_text(999) == "999 B");
  CHECK(cli::bytes_text(1000) == "1.00 kB");
  CHECK(cli::bytes_text(9994) == "9.99 kB");
  CHECK(cli::bytes_text(9996) == "10.0 kB");
  CHECK(cli::bytes_text(99'960) == "100 kB");
  CHECK(cli::bytes_text(999'600) == "1.00 MB");
  CHECK(cli::bytes_text(~std::uint64_t{0}) == "18.4 EB");
  CHECK(cli::rate_text(1234.5) == "1.23 kB/s");
  CHECK(cli::rate_text(1.0 / 0.0) == "0 B/s");
}

TEST_CASE("counts are whole, with commas and the right word", "[unit]") {
  CHECK(cli::count_text(0) == "0");
  CHECK(cli::count_text(999) == "999");
  CHECK(cli::count_text(1000) == "1,000");
  CHECK(cli::count_text(1'234'567) == "1,234,567");
  CHECK(cli::count_text(1, "row", "rows") == "1 row");
  CHECK(cli::count_text(0, "row", "rows") == "0 rows");
}

TEST_CASE("durations are as long as they are worth", "[unit]") {
  CHECK(cli::duration_text(-1) == "0 s");
  CHECK(cli::duration_text(0.0012) == "1.2 ms");
  CHECK(cli::duration_text(0.42) == "420 ms");
  CHECK(cli::duration_text(5) == "5.0 s");
  CHECK(cli::duration_text(59.6) == "1 min 0 s");
  CHECK(cli::duration_text(200) == "3 min 20 s");
  CHECK(cli::duration_text(3 * 3600 + 125) == "3 h 2 min");
  CHECK(cli::duration_text(12 * 86'400 + 4 * 3600) == "12 d 4 h");
}

TEST_CASE("times are those of the clock on the wall", "[unit]") {
  const std::int64_t moment = 1'795'392'005'123'456'789;
  CHECK(cli::local_time_text(moment, [](std::int64_t) { return 0; }) == "2026-11-23 00:00:05");
  CHECK(cli::local_time_text(moment, [](std::int64_t) { return -3600; }) == "2026-11-22 23:00:05");
}

TEST_CASE("nothing that comes from elsewhere commands the terminal", "[unit]") {
  CHECK(cli::printable("a\x1b[31mb\r\n\x7f") == "a?[31mb???");
  CHECK(cli::printable("a\xc2\x9b"
                       "31m") == "a?31m");  // CSI in one character
  CHECK(cli::printable("Büro") == "Büro");
  CHECK(cli::width_of("Büro") == 4);
}

TEST_CASE("colour is there only where it is wanted", "[unit]") {
  CHECK(cli::coloured("x", cli::Mood::kWrong, true) == "\x1b[31mx\x1b[0m");
  CHECK(cli::coloured("x", cli::Mood::kWrong, false) == "x");
  CHECK(cli::coloured("x", cli::Mood::kPlain, true) == "x");
}

}  // namespace flowtally::test
