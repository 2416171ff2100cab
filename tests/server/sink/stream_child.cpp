// A process that streams the journal below a state directory to a bulk API until it is killed, for kill_test,
// with the system calls that an agent may make: stream_child STATE_DIR URL
#include <string>

#include <unistd.h>

#include "rights/capabilities.hpp"
#include "rights/system_calls.hpp"
#include "sink/streams.hpp"

int main(int argc, char** argv) {
  using namespace flowtally;
  if (argc != 3) return 2;
  if (!rights::forbid_new_privileges() || !rights::allow_only_agent_calls()) return 3;
  const std::string state_dir = argv[1];
  sink::Streams streams({.state_dir = state_dir, .journal = [&](model::LogType type) {
                           return type == model::LogType::kNetwork ? state_dir + "/network" : std::string();
                         }});
  streams.apply({{.name = "s",
                  .format = model::ItemFormat::kFlattened,
                  .batch = {.items_max = 50, .age_max = std::chrono::milliseconds(5)},
                  .receiver = model::ElasticSettings{.url = argv[2]}}});
  for (;;) ::pause();
}
