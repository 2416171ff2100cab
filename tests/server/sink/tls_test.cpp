// Goal: over TLS a stream sends to whom it can trust, and to nobody else; what is wrong with certificates is
// a fault of the configuration that loses nothing and heals when the files do.
#include <cstdio>
#include <memory>
#include <string>

#include <openssl/pem.h>

#include "server/sink/rig.hpp"
#include "support/fault_proxy.hpp"
#include "unit/sink_receivers/listener.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using model::SinkState;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

void write_pem(const std::string& path, const SelfSigned& certificate) {
  const File file(std::fopen(path.c_str(), "w"), std::fclose);
  REQUIRE(file);
  REQUIRE(std::fputs(certificate.pem().c_str(), file.get()) >= 0);
}

void write_key(const std::string& path, const SelfSigned& certificate) {
  const File file(std::fopen(path.c_str(), "w"), std::fclose);
  REQUIRE(file);
  REQUIRE(::PEM_write_PrivateKey(file.get(), certificate.key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
          1);
}

/// A store of documents behind a proxy that speaks TLS, and settings of a stream to it.
struct Rig {
  explicit Rig(bool asks_for_certificate = false)
      : server([this](const HttpHeard& heard) { return store.take(heard); }),
        proxy({.to = server.port(), .tls = &own, .client_tls = asks_for_certificate ? &client : nullptr}) {
    written.append(50);
    settings = quick(model::ElasticSettings{.url = fmt::format("https://127.0.0.1:{}", proxy.port())});
    settings.tls.ca_file = path("ca.pem");
    write_pem(settings.tls.ca_file, own);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder.path / name).string(); }
  /// Waits until the stream says that the configuration is at fault; the reason.
  [[nodiscard]] std::string refused() {
    const auto stream = stream_of(written, settings);
    wait_until([&] { return stream->status().state == SinkState::kMisconfigured; });
    CHECK(stream->status().next == 1);
    CHECK(store.size() == 0);
    return stream->status().failure;
  }
  void check_arrives() {
    const auto stream = stream_of(written, settings);
    wait_until([&] { return store.size() == 100; });
    check_all_there(store, 50);
  }

  const SelfSigned own{};
  const SelfSigned client{};
  TempDir folder{};
  Written written{};
  BulkStore store{};
  HttpReceiver server;
  FaultProxy proxy;
  model::SinkSettings settings{};
};

}  // namespace

TEST_CASE("what is signed by whom the settings name is trusted", "[server]") { Rig().check_arrives(); }

TEST_CASE("a certificate that nobody vouches for is refused, until the file of those who may is right",
          "[server]") {
  Rig rig;
  const SelfSigned other;
  write_pem(rig.settings.tls.ca_file, other);
  CHECK_THAT(rig.refused(), ContainsSubstring("certificate"));
  const auto stream = stream_of(rig.written, rig.settings);
  wait_until([&] { return stream->status().state == SinkState::kMisconfigured; });
  write_pem(rig.settings.tls.ca_file, rig.own);
  wait_until([&] { return rig.store.size() == 100; });
  check_all_there(rig.store, 50);
}

TEST_CASE("a certificate of another name is refused", "[server]") {
  Rig rig;
  std::get<model::ElasticSettings>(rig.settings.receiver).url =
      fmt::format("https://other.localhost:{}", rig.proxy.port());
  CHECK_THAT(rig.refused(), ContainsSubstring("other.localhost"));
}

TEST_CASE("a server that asks for a certificate gets this client's", "[server]") {
  Rig rig(true);
  {
    const auto stream = stream_of(rig.written, rig.settings);  // which has none
    wait_until([&] { return stream->status().retries > 2; });
    CHECK(stream->status().state != SinkState::kIdle);
    CHECK(stream->status().next == 1);
    CHECK(rig.store.size() == 0);
  }
  rig.settings.tls.cert_file = rig.path("client.pem");
  rig.settings.tls.key_file = rig.path("client.key");
  write_pem(rig.settings.tls.cert_file, rig.client);
  write_key(rig.settings.tls.key_file, rig.client);
  rig.check_arrives();
}

TEST_CASE("a server that does not speak TLS hears nothing, and nothing is lost", "[server]") {
  Rig rig;
  std::get<model::ElasticSettings>(rig.settings.receiver).url =
      fmt::format("https://127.0.0.1:{}", rig.server.port());
  const auto stream = stream_of(rig.written, rig.settings);
  wait_until([&] { return stream->status().retries > 2; });
  CHECK(rig.store.size() == 0);
  CHECK(stream->status().next == 1);
}

}  // namespace flowtally::test
