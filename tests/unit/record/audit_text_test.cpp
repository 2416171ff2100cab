// Goal: an event of the audit log reads as Tailscale's do, whatever is in it.
#include "record/audit_text.hpp"

#include <string>

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

std::string text_of(const model::AuditEvent& event) {
  std::string text;
  record::append_audit_event(event, 1'763'856'001'500'000'000, text);
  return text;
}

}  // namespace

TEST_CASE("an event has Tailscale's fields, in its order", "[record]") {
  const model::AuditEvent event{
      .time_ns = 1'763'856'000'000'000'000,
      .group_id = "0123456789abcdef0123456789abcdef",
      .origin = "CONFIG_API",
      .actor = {.type = "USER", .id = "0", .login_name = "root", .display_name = "root"},
      .target = {.id = "nTest", .name = "host", .type = "LOGSTREAM", .property = "LOGSTREAM_ENDPOINT"},
      .action = "CREATE",
      .new_json = R"({"url":"https://siem"})"};
  CHECK(text_of(event) ==
        R"({"logged":"2025-11-23T00:00:01.5Z","eventTime":"2025-11-23T00:00:00Z","type":"CONFIG",)"
        R"("deferredAt":"0001-01-01T00:00:00Z","eventGroupID":"0123456789abcdef0123456789abcdef",)"
        R"("origin":"CONFIG_API","actor":{"id":"0","type":"USER","loginName":"root","displayName":"root"},)"
        R"("target":{"id":"nTest","name":"host","type":"LOGSTREAM","property":"LOGSTREAM_ENDPOINT"},)"
        R"("action":"CREATE","new":{"url":"https://siem"}})"
        "\n");
}

TEST_CASE("a refused attempt says why; what is not there is left out; one line in any case", "[record]") {
  const std::string text =
      text_of({.origin = "NODE", .action = "UPDATE", .details = "a\nb", .error = "no \"x\""});
  CHECK(text.find(R"("actionDetails":"a\nb","error":"no \"x\""})") != std::string::npos);
  CHECK(text.find("\"actor\":{},\"target\":{}") != std::string::npos);
  CHECK(text.find('\n') == text.size() - 1);
}

TEST_CASE("what is too long is replaced by its size", "[record]") {
  const std::string long_json = '"' + std::string(record::kAuditTextBytesMax, 'x') + '"';
  const std::string text = text_of({.new_json = long_json, .error = std::string(1 << 20, 'y')});
  CHECK(text.find("\"new\":{\"truncated\":131074}") != std::string::npos);
  CHECK(text.size() < record::kAuditTextBytesMax + 1000);
}

}  // namespace flowtally::test
