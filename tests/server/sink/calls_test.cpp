// Goal: with the system calls that an agent may make, each kind of receiver is found by name and reached.
// Method: a stream in a thread that has the agent's filter, to servers of ours in threads that have not.
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "server/sink/rig.hpp"
#include "unit/sink_receivers/listener.hpp"

namespace flowtally::test {
namespace {

constexpr std::uint64_t kRecords = 20;

/// All of the journal is acknowledged.
void check_arrives(const Written& written, model::SinkSettings settings) {
  settings.retry.request_timeout = std::chrono::seconds(20);
  const auto stream = stream_of(written, settings);
  wait_until([&] { return stream->status().next > written.records(); });
  CHECK(stream->status().refused_items == 0);
}

/// To a server that answers each request so, and is found by a name.
void check_over_http(HttpSaid said,
                     const std::function<model::ReceiverSettings(const std::string& url)>& settings,
                     model::Compression compression = model::Compression::kGzip) {
  Written written;
  written.append(kRecords);
  std::atomic<int> requests = 0;
  const HttpReceiver server([&](const HttpHeard&) {
    ++requests;
    return said;
  });
  auto made = quick(settings(fmt::format("http://localhost:{}", server.port())));
  made.compression = compression;
  check_arrives(written, made);
  CHECK(requests > 0);
}

struct Handle {
  void operator()(rd_kafka_t* handle) const { ::rd_kafka_destroy(handle); }
};

}  // namespace

TEST_CASE("HTTP, Splunk, OTLP, Loki and S3 are reached with the agent's system calls", "[server]") {
  check_over_http({.status = 200}, [](const std::string& url) { return model::HttpSettings{.url = url}; });
  check_over_http({.status = 200, .body = R"({"text":"Success","code":0})"}, [](const std::string& url) {
    return model::SplunkSettings{.url = url, .token = model::Secret("t")};
  });
  check_over_http({.status = 200}, [](const std::string& url) { return model::OtlpSettings{.url = url}; });
  check_over_http({.status = 204}, [](const std::string& url) { return model::LokiSettings{.url = url}; });
  check_over_http(
      {.status = 200},
      [](const std::string& url) {
        return model::S3Settings{.endpoint = url,
                                 .bucket = "flows",
                                 .region = "eu-central-1",
                                 .access_key = "k",
                                 .secret_key = model::Secret("s"),
                                 .object_age = std::chrono::milliseconds(10)};
      },
      model::Compression::kZstd);
}

TEST_CASE("a name that nobody knows is no end of the agent", "[server]") {
  Written written;
  written.append(kRecords);
  const auto stream = stream_of(written, quick(model::HttpSettings{.url = "http://nobody.invalid:1"}));
  wait_until([&] { return stream->status().retries > 1; });
  CHECK(stream->status().next == 1);
}

TEST_CASE("syslog over TLS is reached with the agent's system calls", "[server]") {
  Written written;
  written.append(kRecords);
  const TempDir folder;
  const SelfSigned certificate;
  const Listener server({.tls = &certificate});
  auto settings = quick(model::SyslogSettings{.address = server.address(), .tls = true});
  settings.tls.ca_file = (folder.path / "ca.pem").string();
  std::ofstream(settings.tls.ca_file) << certificate.pem();
  check_arrives(written, settings);
  CHECK(server.wait_for(record::time_text(kFirstStart + std::int64_t{kRecords - 1} * 1'000'000'000)));
}

TEST_CASE("a file is written with the agent's system calls, and put aside", "[server]") {
  Written written;
  written.append(20 * kRecords);
  const TempDir folder;
  const std::string path = (folder.path / "copy.ndjson").string();
  check_arrives(written, quick(model::FileSettings{.path = path, .rotate_bytes = 65'536}));
  CHECK(std::filesystem::exists(path + ".1"));
}

TEST_CASE("Kafka is reached with the agent's system calls, and its module is loaded with them", "[server]") {
  Written written;
  written.append(kRecords);
  std::array<char, 256> why{};
  rd_kafka_conf_t* const conf = ::rd_kafka_conf_new();
  ::rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  const std::unique_ptr<rd_kafka_t, Handle> host(
      ::rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size()));
  REQUIRE(host);
  const std::unique_ptr<rd_kafka_mock_cluster_t, decltype(&::rd_kafka_mock_cluster_destroy)> cluster(
      ::rd_kafka_mock_cluster_new(host.get(), 1), ::rd_kafka_mock_cluster_destroy);
  REQUIRE(cluster);
  REQUIRE(::rd_kafka_mock_topic_create(cluster.get(), "flows", 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  auto settings = quick(
      model::KafkaSettings{.brokers = ::rd_kafka_mock_cluster_bootstraps(cluster.get()), .topic = "flows"});
  settings.compression = model::Compression::kZstd;
  check_arrives(written, settings);
}

}  // namespace flowtally::test
