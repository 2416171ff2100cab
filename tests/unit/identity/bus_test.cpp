#include "identity/bus.hpp"

#include "support/catch.hpp"

namespace flowtally::identity {
namespace {

bool tells(std::string_view message) { return BusReader().feed(std::string(message) + "\n"); }

TEST_CASE("the mask follows the version", "[unit]") {
  CHECK(kBusMaskPatches == 36870);
  CHECK(kBusMaskRateLimited == 262);
  for (const char* const version : {"1.100.0", "1.102.5-t0123abc", "1.103", "2.0.1"})
    CHECK(bus_mask(version) == kBusMaskPatches);
  for (const char* const version : {"1.98.4", "1.96.0-t1", "0.100.0", "", "date.20261122", "1", "1.", "1.x"})
    CHECK(bus_mask(version) == kBusMaskRateLimited);
}

TEST_CASE("messages that change nothing for us are passed over", "[unit]") {
  CHECK_FALSE(tells(R"({"Version":"1.102.5","SessionID":"a"})"));
  CHECK_FALSE(tells(R"({"Version":"1.102.5","PeerChangedPatch":[{"NodeID":3,"Online":true}]})"));
  CHECK_FALSE(tells(R"({"Version":"1.102.5","Engine":{"RBytes":1},"Health":{"Warnings":null}})"));
  CHECK_FALSE(tells(R"({"Version":"1.96","ErrMessage":null,"State":null,"Prefs":null,"NetMap":null})"));
  CHECK_FALSE(tells("{}"));
}

TEST_CASE("anything else is a change", "[unit]") {
  CHECK(tells(R"({"Version":"1.102.5","State":6})"));
  CHECK(tells(R"({"PeersChanged":[{"ID":3}]})"));
  CHECK(tells(R"({"PeerChangedPatch":[],"PeersRemoved":[3]})"));
  CHECK(tells(R"({"Prefs":{"RouteAll":true}})"));
  CHECK(tells(R"({"SelfChange":{"ID":1}})"));
  CHECK(tells(R"({"SomethingNew":false})"));
  CHECK(tells("not json"));
  CHECK(tells("[]"));
}

TEST_CASE("messages come in pieces, and several at once", "[unit]") {
  BusReader reader;
  CHECK_FALSE(reader.feed(R"({"Sta)"));
  CHECK_FALSE(reader.feed(R"(te":6})"));
  CHECK(reader.messages() == 0);
  CHECK(reader.feed("\n{\"Health\":1}\n\r\n \n{\"Engine\":"));
  CHECK(reader.messages() == 2);
  CHECK_FALSE(reader.feed("{}}\n"));
  CHECK(reader.messages() == 3);
}

TEST_CASE("a message too long to look into is a change, and the next one is read again", "[unit]") {
  BusReader reader;
  const std::string part(kBusMessageBytesMax / 2 + 1, 'x');
  CHECK_FALSE(reader.feed("{\"Health\":\"" + part));
  CHECK_FALSE(reader.feed(part));
  CHECK_FALSE(reader.feed(part));
  CHECK(reader.feed("\"}\n"));
  CHECK(reader.messages() == 1);
  CHECK_FALSE(reader.feed("{\"Health\":1}\n"));
  CHECK(reader.messages() == 2);
}

}  // namespace
}  // namespace flowtally::identity
