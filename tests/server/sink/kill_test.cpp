// Goal: killed at any instant, a stream loses nothing: what was not acknowledged is sent again by the next
// process, and ids make that harmless. Method: children run the stream and are killed at random; the receiver
// lives on.
#include <csignal>
#include <random>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "server/sink/rig.hpp"
#include "sink/streams.hpp"

namespace flowtally::test {
namespace {

/// A process of its own that streams until it is killed.
pid_t start_child(const Written& written, const model::SinkSettings& settings) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child > 0) return child;
  sink::Streams streams({.state_dir = written.state_dir(), .journal = [&](model::LogType type) {
                           return type == model::LogType::kNetwork ? written.directory() : std::string();
                         }});
  streams.apply({settings});
  for (;;) ::pause();
}

}  // namespace

TEST_CASE("killed at random instants, every item is there exactly once", "[server][crash]") {
  Written written;
  written.append(4000);
  BulkStore store;
  HttpReceiver server([&](const HttpHeard& heard) { return store.take(heard); });
  const auto settings = quick(model::ElasticSettings{.url = server.url()});
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp)
  int kills = 0;
  for (; store.size() < 8000 && kills < 500; ++kills) {
    const std::size_t before = store.size();
    const std::size_t until = std::min<std::size_t>(before + 1 + random() % 400, 8000);
    const pid_t child = start_child(written, settings);
    wait_until([&] { return store.size() >= until; });
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
  }
  INFO(kills << " kills, " << store.repeated << " items sent again");
  check_all_there(store, 4000);
  CHECK(kills > 5);
}

}  // namespace flowtally::test
