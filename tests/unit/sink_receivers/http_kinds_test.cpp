// Goal: OTLP, Loki and S3 are asked as they want to be asked, and their answers mean what they say: one table
// for each.
#include <algorithm>

#include "sink/http_verdict.hpp"
#include "sink/loki_receiver.hpp"
#include "sink/object_body.hpp"
#include "sink/otlp_receiver.hpp"
#include "sink/s3_receiver.hpp"
#include "sink/sigv4.hpp"
#include "sink/url.hpp"
#include "support/catch.hpp"
#include "unit/sink_receivers/batches.hpp"
#include "unit/sink_receivers/http_answers.hpp"

namespace flowtally::sink {
namespace {

using test::batch_of;
using test::HttpAnswers;

model::SinkSettings settings(model::ReceiverSettings receiver) {
  model::SinkSettings made{.name = "sink"};
  made.receiver = std::move(receiver);
  return made;
}

template <class Make>
std::unique_ptr<Receiver> make(Make make_receiver, const model::SinkSettings& from) {
  auto made = make_receiver(from, model::LogType::kNetwork);
  if (!made) FAIL(made.error().text());
  return std::move(*made);
}

Outcome send(Receiver& to, const Batch& batch) { return to.send(batch, 0, batch.items.size(), {}); }

struct Answer {
  const char* status;
  const char* body;
  Verdict verdict;
};

model::S3Settings s3_settings(const std::string& url) {
  return {.endpoint = url, .bucket = "flows", .access_key = "key", .secret_key = model::Secret("hidden")};
}

}  // namespace

TEST_CASE("OTLP's answers") {
  HttpAnswers server;
  const auto to = make(make_otlp_receiver, settings(model::OtlpSettings{.url = server.url()}));
  const auto answer = GENERATE(
      Answer{"200 OK", "", Verdict::kDelivered}, Answer{"201 Created", "", Verdict::kDelivered},
      Answer{"200 OK", "\x0a\x06\x12\x04warn", Verdict::kDelivered},
      Answer{"202 Accepted", "{}", Verdict::kDelivered}, Answer{"429 Slow", "", Verdict::kRetry},
      Answer{"502 Bad", "", Verdict::kRetry}, Answer{"503 Busy", "", Verdict::kRetry},
      Answer{"504 Late", "", Verdict::kRetry}, Answer{"408 Late", "", Verdict::kMisconfigured},
      Answer{"500 Broken", "", Verdict::kMisconfigured}, Answer{"501 No", "", Verdict::kMisconfigured},
      Answer{"401 Who", "", Verdict::kMisconfigured}, Answer{"404 Where", "", Verdict::kMisconfigured},
      Answer{"400 Bad", "", Verdict::kBisect}, Answer{"413 Large", "", Verdict::kTooLarge});
  server.answer(answer.status, answer.body);
  const Outcome outcome = send(*to, batch_of({"{}", "{}"}));
  INFO(answer.status);
  CHECK(outcome.verdict == answer.verdict);
  CHECK(outcome.items.empty());
}

TEST_CASE("what OTLP rejects in part is refused by its number, and never sent again") {
  HttpAnswers server;
  const auto to = make(make_otlp_receiver, settings(model::OtlpSettings{.url = server.url()}));
  server.answer("200 OK", "\x0a\x08\x08\x02\x12\x04late");
  const Outcome outcome = send(*to, batch_of({"{}", "{}", "{}"}));
  CHECK(std::ranges::count(outcome.items, Verdict::kRefused) == 2);
  CHECK(std::ranges::count(outcome.items, Verdict::kDelivered) == 1);
  CHECK(outcome.reasons.at(0).find("late") != std::string::npos);
}

TEST_CASE("OTLP's requests have its path, its type and the headers of the settings") {
  HttpAnswers server;
  auto with = settings(model::OtlpSettings{.url = server.url(), .headers = {{"X-Key", model::Secret("k")}}});
  with.compression = model::Compression::kGzip;
  static_cast<void>(send(*make(make_otlp_receiver, with), batch_of({"{}"})));
  const auto heard = server.heard();
  CHECK(heard.head.starts_with("POST /v1/logs HTTP/1.1\r\n"));
  for (const char* const header :
       {"Content-Type: application/x-protobuf\r\n", "Content-Encoding: gzip\r\n", "X-Key: k\r\n"})
    CHECK(heard.head.find(header) != std::string::npos);
  CHECK(heard.body.starts_with("\x1f\x8b"));
}

TEST_CASE("Loki's answers") {
  HttpAnswers server;
  const auto to = make(make_loki_receiver, settings(model::LokiSettings{.url = server.url()}));
  const auto answer = GENERATE(
      Answer{"204 No Content", "", Verdict::kDelivered},
      Answer{"400 Bad", "entry too far behind", Verdict::kBisect}, Answer{"429 Slow", "", Verdict::kRetry},
      Answer{"500 Broken", "", Verdict::kRetry}, Answer{"401 Who", "", Verdict::kMisconfigured},
      Answer{"404 Where", "", Verdict::kMisconfigured}, Answer{"413 Large", "", Verdict::kTooLarge});
  server.answer(answer.status, answer.body);
  const Outcome outcome = send(*to, batch_of({"{}"}));
  CHECK(outcome.verdict == answer.verdict);
  CHECK(outcome.reason.find(answer.body) != std::string::npos);
}

TEST_CASE("Loki is asked as it wants to be: few labels, times as text, addresses as structured metadata") {
  HttpAnswers server;
  server.answer("204 No Content");
  const auto to =
      make(make_loki_receiver, settings(model::LokiSettings{.url = server.url() + "/prefix/",
                                                            .tenant = "team",
                                                            .user = "me",
                                                            .password = model::Secret("secret"),
                                                            .labels = {{"site", "x"}, {"job", "mine"}}}));
  const Batch batch =
      batch_of({R"({"src":"100.64.0.1","srcPort":22,"proto":6,"t":"\"\u00e4"})",
                R"({"source":{"address":"::1","port":1},"network":{"iana_number":"17"}})", "no JSON"});
  static_cast<void>(send(*to, batch));
  const auto heard = server.heard();
  CHECK(heard.head.starts_with("POST /prefix/loki/api/v1/push HTTP/1.1\r\n"));
  CHECK(heard.head.find("X-Scope-OrgID: team\r\n") != std::string::npos);
  CHECK(heard.head.find("Authorization: Basic bWU6c2VjcmV0\r\n") != std::string::npos);
  const auto id = [&batch](std::size_t at) { return item_id(batch, batch.items[at]); };
  CHECK(
      heard.body ==
      R"({"streams":[{"stream":{"job":"mine","log":"network","node":"nLab01CNTRL","site":"x"},"values":[)"
      R"(["1795390146069506592","{\"src\":\"100.64.0.1\",\"srcPort\":22,\"proto\":6,\"t\":\"\\\"\\u00e4\"}",)"
      R"({"id":")" +
          id(0) + R"(","src":"100.64.0.1","src_port":"22","proto":"6"}],)" +
          R"(["1795390147069506592","{\"source\":{\"address\":\"::1\",\"port\":1},)"
          R"(\"network\":{\"iana_number\":\"17\"}}",{"id":")" +
          id(1) + R"(","src":"::1","src_port":"1","proto":"17"}],)" +
          R"(["1795390148069506592","no JSON",{"id":")" + id(2) + R"("}]]}]})");
}

TEST_CASE("S3's answers") {
  HttpAnswers server;
  const auto to = make(make_s3_receiver, settings(s3_settings(server.url())));
  const auto answer =
      GENERATE(Answer{"200 OK", "", Verdict::kDelivered},
               Answer{"400 Bad", "<Error><Code>RequestTimeout</Code></Error>", Verdict::kRetry},
               Answer{"400 Bad", "<Error><Code>InvalidBucketName</Code></Error>", Verdict::kMisconfigured},
               Answer{"403 No", "<Error><Code>SignatureDoesNotMatch</Code></Error>", Verdict::kMisconfigured},
               Answer{"404 No", "<Error><Code>NoSuchBucket</Code></Error>", Verdict::kMisconfigured},
               Answer{"301 There", "<Error><Code>PermanentRedirect</Code></Error>", Verdict::kMisconfigured},
               Answer{"503 Slow", "<Error><Code>SlowDown</Code></Error>", Verdict::kRetry},
               Answer{"500 Broken", "", Verdict::kRetry},
               Answer{"400 Large", "<Error><Code>EntityTooLarge</Code></Error>", Verdict::kTooLarge});
  server.answer(answer.status, answer.body);
  const Outcome outcome = send(*to, batch_of({"{}"}));
  CHECK(outcome.verdict == answer.verdict);
  CHECK(outcome.reason.find("hidden") == std::string::npos);
}

TEST_CASE("a clock that is wrong is told as that") {
  HttpAnswers server;
  server.answer("403 No", "<Error><Code>RequestTimeTooSkewed</Code></Error>");
  const Outcome outcome =
      send(*make(make_s3_receiver, settings(s3_settings(server.url()))), batch_of({"{}"}));
  CHECK(outcome.verdict == Verdict::kMisconfigured);
  CHECK(outcome.reason.starts_with("the clock"));
}

TEST_CASE("an object's request is signed for what it has, and its key is made of its first item") {
  HttpAnswers server;
  auto s3 = s3_settings(server.url());
  s3.prefix = "/{log}/";
  const auto to = make(make_s3_receiver, settings(s3));
  const Batch batch = batch_of({"{\"a\":1}", "{\"b\":2}"}, 41);
  CHECK(to->send(batch, 1, 1, {}).verdict == Verdict::kDelivered);
  const auto heard = server.heard();
  CHECK(heard.head.starts_with(
      "PUT /flows/network/2026/11/22/23/nLab01CNTRL-20261122T232907.069506592Z-42.ndjson HTTP/1.1\r\n"));
  CHECK(heard.body == "{\"b\":2}\n");
  CHECK(heard.head.find("x-amz-content-sha256: " + sha256_hex(heard.body) + "\r\n") != std::string::npos);
  CHECK(heard.head.find("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date,") !=
        std::string::npos);
  CHECK(to->traits().age == std::chrono::minutes(5));
  CHECK(to->traits().bytes_max == std::uint64_t{64} << 20U);
}

TEST_CASE("keys say how the object is compressed, and which part of a cut record is its first") {
  Batch batch = batch_of({"{}"}, 7);
  batch.node_id = "a/b c";
  batch.items[0].part = 3;
  CHECK(object_key("p", batch, batch.items[0], model::Compression::kZstd) ==
        "p/2026/11/22/23/a_b_c-20261122T232906.069506592Z-7.3.ndjson.zst");
  batch.node_id.clear();
  batch.items[0].part = 0;
  CHECK(object_key("", batch, batch.items[0], model::Compression::kGzip) ==
        "2026/11/22/23/node-20261122T232906.069506592Z-7.ndjson.gz");
}

TEST_CASE("the same items make the same object, byte by byte") {
  const Batch batch = batch_of(test::record_texts(2000));
  const auto how = GENERATE(model::Compression::kNone, model::Compression::kGzip, model::Compression::kZstd);
  const auto one = object_body(batch, 0, 2000, how);
  const auto two = object_body(batch, 0, 2000, how);
  REQUIRE(one);
  CHECK(*one == *two);
}

TEST_CASE("settings of OTLP, Loki and S3 that cannot be are refused") {
  const auto text = [](const auto& made) { return made ? std::string("made") : made.error().text(); };
  const auto network = model::LogType::kNetwork;
  CHECK(text(make_otlp_receiver(settings(model::OtlpSettings{.url = "host:4318"}), network))
            .starts_with("url:"));
  CHECK(text(make_otlp_receiver(
                 settings(model::OtlpSettings{.url = "http://h", .headers = {{"a b", model::Secret("x")}}}),
                 network))
            .starts_with("headers:"));
  CHECK(text(make_otlp_receiver(settings(model::OtlpSettings{
                                    .url = "http://h", .headers = {{"a", model::Secret("secret\r\nb: c")}}}),
                                network))
            .find("secret") == std::string::npos);
  CHECK(text(make_loki_receiver(settings(model::LokiSettings{.url = "http://h", .labels = {{"1a", "x"}}}),
                                network))
            .starts_with("labels:"));
  model::LokiSettings many{.url = "http://h"};
  for (int label = 0; label < 13; ++label) many.labels.emplace_back(fmt::format("l{}", label), "x");
  CHECK(text(make_loki_receiver(settings(many), network)).starts_with("labels:"));
  const auto s3 = [&](auto change) {
    model::S3Settings changed = s3_settings("http://h");
    change(changed);
    return text(make_s3_receiver(settings(changed), network));
  };
  CHECK(s3([](auto&) {}) == "made");
  CHECK(s3([](auto& made) { made.bucket = "a/b"; }).starts_with("bucket:"));
  CHECK(s3([](auto& made) { made.bucket = ".."; }).starts_with("bucket:"));
  CHECK(s3([](auto& made) { made.endpoint = "http://h/path"; }).starts_with("endpoint:"));
  CHECK(s3([](auto& made) { made.secret_key = {}; }).find("secret_key") != std::string::npos);
  CHECK(s3([](auto& made) { made.object_bytes = 1; }).starts_with("object_size:"));
}

TEST_CASE("addresses are completed once, and passwords in them are not shown") {
  CHECK(*url_with_path("https://h:1/", "/v1/logs") == "https://h:1/v1/logs");
  CHECK(*url_with_path("https://h/x/v1/logs", "/v1/logs") == "https://h/x/v1/logs");
  CHECK(*url_with_path("http://h/x?a=b", "/y") == "http://h/x/y?a=b");
  for (const char* const wrong :
       {"", "ftp://h", "http://", "http:///x", "http://h/a b", "http://h/#x", "http://h\\x"})
    CHECK_FALSE(url_with_path(wrong, "/y"));
  const auto with_user = url_with_path("http://me:hidden@h/", "/y");
  REQUIRE_FALSE(with_user);
  CHECK(with_user.error().text().find("hidden") == std::string::npos);
}

TEST_CASE("reasons are one printable line") {
  CHECK(http_reason({.status = 400, .body = "a\r\n\n\tb\x7f"}) == "HTTP 400: a b ");
  CHECK(http_reason({.failure = "no route"}) == "no route");
  CHECK(http_reason({.status = 500, .body = std::string(10'000, 'x')}).size() < 500);
}

}  // namespace flowtally::sink
