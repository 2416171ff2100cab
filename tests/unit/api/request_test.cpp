#include "api/request.hpp"

#include <string>
#include <vector>

#include "api/limits.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using Path = std::vector<std::string>;

base::ErrorCode fault_of(std::string_view text) {
  const auto target = api::parse_target(text);
  REQUIRE_FALSE(target.has_value());
  return target.error().code();
}

}  // namespace

TEST_CASE("a target is its path's parts and its parameters, decoded", "[unit]") {
  const auto target =
      api::parse_target("/api/v2/tailnet/a%2Fb+c/devices?fields=all&x=%C3%A4+b&empty&x=2#piece");
  REQUIRE(target.has_value());
  CHECK(target->path == Path{"api", "v2", "tailnet", "a/b+c", "devices"});
  CHECK(target->parameters.find("fields") == "all");
  CHECK(target->parameters.find("x") == "\xC3\xA4 b");  // the first of the name
  CHECK(target->parameters.find("empty") == "");
  CHECK_FALSE(target->parameters.find("y").has_value());
  CHECK(target->parameters.all().size() == 4);
}

TEST_CASE("a slash at the end is a part that is empty, and / has no part", "[unit]") {
  CHECK(api::parse_target("/")->path.empty());
  CHECK(api::parse_target("/metrics/")->path == Path{"metrics", ""});
  CHECK(api::parse_target("/?a=b")->parameters.find("a") == "b");
}

TEST_CASE("what is no target is refused", "[unit]") {
  CHECK(fault_of("") == base::ErrorCode::kInvalidArgument);
  CHECK(fault_of("http://localhost/metrics") == base::ErrorCode::kInvalidArgument);
  CHECK(fault_of("*") == base::ErrorCode::kInvalidArgument);
  for (const char* const text : {"/%", "/%1", "/%1g", "/?a=%zz", "/?%f=1", "/%00", "/?a=%00"}) {
    CAPTURE(text);
    CHECK(fault_of(text) == base::ErrorCode::kInvalidArgument);
  }
}

TEST_CASE("a target has limits of length and of parameters", "[unit]") {
  std::string many = "/?";
  for (std::size_t at = 0; at < api::kParametersMax; ++at) many += "a=b&";
  CHECK(api::parse_target(many).has_value());
  CHECK(fault_of(many + "a=b") == base::ErrorCode::kResource);
  const std::string longest = "/" + std::string(api::kTargetBytesMax - 1, 'a');
  CHECK(api::parse_target(longest).has_value());
  CHECK(fault_of(longest + "a") == base::ErrorCode::kResource);
}

TEST_CASE("a list of encodings says which are taken", "[unit]") {
  CHECK(api::accepts("gzip", "gzip"));
  CHECK(api::accepts("deflate, GZIP;q=0.5", "gzip"));
  CHECK_FALSE(api::accepts("deflate, gzip;q=0", "gzip"));
  CHECK_FALSE(api::accepts("gzip; q=0.000", "gzip"));
  CHECK_FALSE(api::accepts("gzipped", "gzip"));
  CHECK_FALSE(api::accepts("", "gzip"));
}

}  // namespace flowtally::test
