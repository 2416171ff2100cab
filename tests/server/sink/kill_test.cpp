// Goal: killed at any instant, a stream loses nothing: what was not acknowledged is sent again by the next
// process, and ids make that harmless. Method: children run the stream and are killed at random; the receiver
// lives on.
#include <csignal>
#include <random>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "server/sink/rig.hpp"

namespace flowtally::test {
namespace {

pid_t start_child(const std::string& state_dir, const std::string& url) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child > 0) return child;
  ::execl(FLOWTALLY_STREAM_CHILD, FLOWTALLY_STREAM_CHILD, state_dir.c_str(), url.c_str(), nullptr);
  ::_exit(127);
}

}  // namespace

TEST_CASE("killed at random instants, every item is there exactly once", "[server][crash]") {
  Written written;
  written.append(4000);
  BulkStore store;
  HttpReceiver server([&](const HttpHeard& heard) { return store.take(heard); });
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp)
  int kills = 0;
  for (; store.size() < 8000 && kills < 500; ++kills) {
    const std::size_t before = store.size();
    const std::size_t until = std::min<std::size_t>(before + 1 + random() % 400, 8000);
    const pid_t child = start_child(written.state_dir(), server.url());
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
