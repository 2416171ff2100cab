// Goal: a stream comes back as it was PUT, without its secrets; what is wrong with one is said and changes
// nothing; nobody changes anything who may not.
#include <string>
#include <utility>
#include <vector>

#include "api/log_stream.hpp"
#include "api/routes.hpp"
#include "server/api/fake_control.hpp"
#include "server/api/fake_source.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr const char* kStream = "/api/v2/tailnet/-/logging/network/stream";
// As Terraform's provider sends one.
constexpr const char* kSplunk =
    R"({"destinationType":"splunk","url":"https://siem:8088/services/collector/event","user":"flow",)"
    R"("token":"s3cr3t","compressionFormat":"none","gcsScopes":[]})";

struct Rig {
  TempDir folder;
  FakeSource source{folder.path.string()};
  FakeControl control;
  api::Service service{source, api::Limits{}, &control};

  api::Answer ask(const char* method, const std::string& path, std::string body = {}, uid_t uid = 0) {
    auto target = api::parse_target(path);
    REQUIRE(target);
    const bool has_body = !body.empty();
    return api::answer_request(service, {.method = method,
                                         .target = std::move(*target),
                                         .caller = {.local = true, .uid = uid},
                                         .has_body = has_body,
                                         .body = std::move(body)});
  }
};

std::string error_of(const std::string& body) {
  const auto stream = api::LogStream::parse(body);
  return stream ? std::string() : stream.error().text();
}

}  // namespace

TEST_CASE("a stream is given back as it was sent, without what is secret, with its type", "[unit]") {
  Rig rig;
  CHECK(rig.ask("GET", kStream).status == 404);
  REQUIRE(rig.ask("PUT", kStream, kSplunk).status == 200);
  const api::Answer answer = rig.ask("GET", kStream);
  CHECK(answer.status == 200);
  CHECK(
      answer.text ==
      R"({"logType":"network","destinationType":"splunk","url":"https://siem:8088/services/collector/event",)"
      R"("user":"flow","compressionFormat":"none","gcsScopes":[]})"
      "\n");
  CHECK(rig.ask("GET", "/api/v2/tailnet/-/logging/configuration/stream").status == 404);
  CHECK(rig.ask("GET", "/api/v2/tailnet/-/logging/other/stream").status == 404);
  CHECK(rig.ask("DELETE", kStream).status == 200);
  CHECK(rig.ask("GET", kStream).status == 404);
  CHECK(rig.ask("DELETE", kStream).status == 404);
}

TEST_CASE("the audit log sees no secret of a stream, the file of streams sees all", "[unit]") {
  const auto stream = api::LogStream::parse(
      R"({"destinationType":"gcs","gcsBucket":"b","gcsCredentials":"{\"private_key\":\"s3cr3t\"}",)"
      R"("token":""})");
  REQUIRE(stream);
  CHECK(stream->json(api::LogStream::Secrets::kMasked, "") ==
        R"({"destinationType":"gcs","gcsBucket":"b","gcsCredentials":"***","token":""})");
  CHECK(stream->json(api::LogStream::Secrets::kShown, "").find("s3cr3t") != std::string::npos);
  // Clients need this one back, or they would plan to send it again.
  CHECK(stream->json(api::LogStream::Secrets::kLeftOut, "").find("s3cr3t") != std::string::npos);
}

TEST_CASE("what is wrong with a stream is said", "[unit]") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {"{\"destinationType\":", "not a JSON object"},
      {"{}", "destinationType \"\" is not one of splunk, elastic"},
      {R"({"destinationType":7})", "destinationType is no string"},
      {R"({"destinationType":"splunk","destinationType":"splunk"})", "there twice"},
      {R"({"destinationType":"kafka"})", "destinationType \"kafka\" is not one of"},
      {R"({"destinationType":"splunk"})", "a stream to splunk needs url"},
      {R"({"destinationType":"splunk","url":"ftp://x"})", "begins with neither"},
      {R"({"destinationType":"splunk","url":"https://x","token":"t"})",
       "ends with /services/collector/event"},
      {R"({"destinationType":"axiom","url":"https://x"})", "needs token"},
      {R"({"destinationType":"axiom","url":"https://x","token":"t","compressionFormat":"lz4"})", "lz4"},
      {R"({"destinationType":"axiom","url":"https://x","token":"t","uploadPeriodMinutes":1441})", "1440"},
      {R"({"destinationType":"axiom","url":"https://x","token":"t","uploadPeriodMinutes":"1"})",
       "whole number"},
      {R"({"destinationType":"s3"})", "needs s3Bucket"},
      {R"({"destinationType":"s3","s3Bucket":"b","s3Region":"r","s3AuthenticationType":"x"})",
       "accesskey, rolearn"},
      {R"({"destinationType":"s3","s3Bucket":"b","s3Region":"r","s3AuthenticationType":"rolearn"})",
       "s3RoleArn"},
      {R"({"destinationType":"gcs","gcsBucket":"b"})", "needs gcsCredentials"}};
  for (const auto& [body, message] : wrong) {
    INFO(body);
    CHECK_THAT(error_of(body), ContainsSubstring(message));
  }
  CHECK_THAT(error_of(std::string(api::kStreamBytesMax + 1, ' ')), ContainsSubstring("65536"));
}

TEST_CASE("a stream that is refused changes nothing and is an event", "[unit]") {
  Rig rig;
  REQUIRE(rig.ask("PUT", kStream, kSplunk).status == 200);
  CHECK(rig.ask("PUT", kStream, R"({"destinationType":"x"})").status == 400);
  CHECK(rig.control.refusals.size() == 1);
  CHECK(rig.ask("PUT", kStream, kSplunk, 1000).status == 403);
  CHECK(rig.ask("DELETE", kStream, {}, 1000).status == 403);
  CHECK(rig.control.refusals.size() == 3);
  CHECK(rig.ask("GET", kStream, {}, 1000).status == 200);
  rig.control.failure = base::Error(base::ErrorCode::kIo, "no room");
  CHECK(rig.ask("PUT", kStream, kSplunk).status == 500);
}

TEST_CASE("the status of a stream has all that Tailscale's has", "[unit]") {
  Rig rig;
  CHECK(rig.ask("GET", std::string(kStream) + "/status").status == 404);
  REQUIRE(rig.ask("PUT", kStream, kSplunk).status == 200);
  rig.control.statuses.push_back({.sink = "api-network", .kind = "splunk", .items = 12, .bytes = 3456});
  const api::Answer answer = rig.ask("GET", std::string(kStream) + "/status");
  REQUIRE(answer.status == 200);
  for (const char* const name :
       {"lastActivity", "lastError", "maxBodySize", "numBytesSent\":3456", "numEntriesSent\":12",
        "numSpoofedEntries", "numTotalRequests", "numFailedRequests", "rateBytesSent", "rateEntriesSent",
        "rateTotalRequests", "rateFailedRequests"}) {
    CHECK_THAT(answer.text, ContainsSubstring(name));
  }
}

TEST_CASE("our own streams are listed, added, tested, sent again and removed", "[unit]") {
  Rig rig;
  CHECK(rig.ask("GET", "/api/v1/streams").text == "{\"streams\":[]}\n");
  CHECK(rig.ask("PUT", "/api/v1/streams/siem", "type: http").status == 200);
  CHECK(rig.control.named.at("siem") == "type: http");
  rig.control.statuses.push_back({.sink = "siem", .kind = "http", .state = model::SinkState::kRetrying});
  CHECK_THAT(rig.ask("GET", "/api/v1/streams").text, ContainsSubstring("\"state\":\"retrying\""));
  CHECK_THAT(rig.ask("POST", "/api/v1/streams/siem/test").text, ContainsSubstring("siem took it"));
  CHECK(rig.ask("POST", "/api/v1/streams/siem/replay").text == "{\"delivered\":3,\"refused\":1}\n");
  CHECK(rig.ask("DELETE", "/api/v1/streams/siem").status == 200);
  CHECK(rig.ask("DELETE", "/api/v1/streams/siem").status == 404);
  CHECK(rig.ask("POST", "/api/v1/reload").status == 200);
  CHECK(rig.control.reloads == 1);
  for (const char* const path :
       {"/api/v1/streams/siem/test", "/api/v1/streams/siem/replay", "/api/v1/reload"}) {
    CHECK(rig.ask("POST", path, {}, 1000).status == 403);
  }
  CHECK(rig.ask("PUT", "/api/v1/streams/siem", "type: http", 1000).status == 403);
}

TEST_CASE("an agent without a journal streams nothing and says so", "[unit]") {
  Rig rig;
  api::Service bare{rig.source, api::Limits{}};
  const auto ask = [&bare](const char* method, const char* path) {
    return api::answer_request(bare, {.method = method, .target = *api::parse_target(path)});
  };
  CHECK(ask("GET", kStream).status == 404);
  CHECK(ask("PUT", kStream).status == 501);
  CHECK(ask("GET", "/api/v1/streams").text == "{\"streams\":[]}\n");
  CHECK(ask("PUT", "/api/v1/streams/x").status == 501);
  CHECK(ask("POST", "/api/v1/reload").status == 501);
}

}  // namespace flowtally::test
