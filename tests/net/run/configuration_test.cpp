// Goal: the configuration changes while the agent runs, and not one packet is lost by it; a bad one is
// refused whole; streams come and go over the API; everything of that is in the audit log, and no secret is
// anywhere.
//
// Method: the program as a user runs it, with numbered packets on its TUN all the time, a file that is
// rewritten under it, and curl.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

#include "crash/run/host.hpp"
#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/shell.hpp"
#include "support/wait_until.hpp"
#include "test_paths.h"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr const char* kSecret = "s3cr3t-of-nobody-else";

/// A host whose agent is told everything by a file.
class FileHost {
 public:
  void write(const std::string& interval, const std::string& more = {}) const {
    std::ofstream(file()) << fmt::format(
        "capture: {{interval: {}, bpffs: {}, underlay: {{enabled: false}}}}\n"
        "records: {{node_id: nTest}}\nidentity: {{tailscaled_socket: /nonexistent/socket}}\n"
        "journal: {{state_dir: {}}}\napi: {{socket: {}}}\n{}",
        interval, host_.bpffs().path(), host_.state(), host_.socket(), more);
  }
  [[nodiscard]] std::string file() const { return host_.state() + "/flowtally.yaml"; }
  [[nodiscard]] std::string curl() const { return "curl -sS --unix-socket " + host_.socket() + " "; }
  /// What jq makes of the audit log.
  [[nodiscard]] std::string audit(const std::string& filter) const {
    return run_in_shell(curl() +
                        "--fail -G -d start=2020-01-01T00:00:00Z -d end=2099-01-01T00:00:00Z "
                        "http://x/api/v2/tailnet/-/logging/configuration | jq -c '" +
                        filter + "'")
        .out;
  }
  [[nodiscard]] Host& host() noexcept { return host_; }

 private:
  Host host_{};
};

}  // namespace

TEST_CASE("a changed configuration is put into force under traffic, and no packet is lost", "[net]") {
  enter_fresh_namespace();
  FileHost host;
  host.write("100ms");
  Program program({"run", "--config", host.file()});
  program.wait_for_output("counting tailscale0");
  Writer writer(host.host().tun(), 0);
  int changes = 0;
  for (const char* const interval : {"200ms", "150ms", "300ms", "100ms"}) {
    host.write(interval);
    program.signal(SIGHUP);
    ++changes;
    wait_until([&] {
      return run_in_shell(host.curl() + "http://x/api/v1/status | jq .drain.intervalSeconds").out ==
             run_in_shell(fmt::format("echo {} | sed 's/ms//' | jq './1000'", interval)).out;
    });
  }
  CHECK(host.audit("[.logs[]|select(.target.property==\"CONFIGURATION\")]|length") ==
        fmt::format("{}\n", changes));
  // What is wrong is refused whole, with its place; what cannot begin is taken back.
  host.write("1x");
  program.signal(SIGHUP);
  program.wait_for_output("flowtally.yaml:1:21: capture.interval");
  host.write("100ms", "sinks: {s: {type: http, url: \"http://127.0.0.1:1/\", filter: \"prot tcp\"}}\n");
  program.signal(SIGHUP);
  program.wait_for_output("sinks.s.filter");
  host.write("100ms");
  std::ofstream(host.file(), std::ios::app) << "# a comment changes nothing\n";
  program.signal(SIGHUP);
  program.wait_for_output("the configuration was read again");
  CHECK_THAT(host.audit(".logs[]|select(.error)|.error"), ContainsSubstring("capture.interval"));
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
  const std::uint32_t written = writer.stop();
  Program last({"run", "--config", host.file()});
  last.wait_for_output("counting tailscale0");
  last.signal(SIGTERM);
  CHECK(last.wait() == 0);
  const Counted counted = host.host().journal();
  check_no_hole(counted);
  CHECK(counted.all == written);
}

TEST_CASE("a configuration that cannot begin is taken back, and the one before goes on", "[net]") {
  enter_fresh_namespace();
  FileHost host;
  host.write("100ms");
  Program program({"run", "--config", host.file()});
  program.wait_for_output("counting tailscale0");
  Writer writer(host.host().tun(), 0);
  {
    std::ofstream file(host.file());
    file << "capture: {interval: 100ms, bpffs: " << host.host().bpffs().path()
         << ", underlay: {enabled: false}}\n"
         << "records: {node_id: nTest}\nidentity: {tailscaled_socket: /nonexistent/socket}\n"
         << "journal: {state_dir: " << host.host().state() << "}\napi: {socket: /proc/no/such.sock}\n";
  }
  program.signal(SIGHUP);
  program.wait_for_output("going on with the configuration as it was");
  wait_until([&] { return run_in_shell(host.curl() + "--fail http://x/healthz").status == 0; });
  CHECK_THAT(host.audit(".logs[]|select(.error)|.error"), ContainsSubstring("/proc/no"));
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
  const std::uint32_t written = writer.stop();
  host.write("100ms");
  Program last({"run", "--config", host.file()});
  last.wait_for_output("counting tailscale0");
  last.signal(SIGTERM);
  CHECK(last.wait() == 0);
  const Counted counted = host.host().journal();
  check_no_hole(counted);
  CHECK(counted.all == written);
}

TEST_CASE("streams come and go over the API, survive a restart, and are audited without their secrets",
          "[net]") {
  enter_fresh_namespace();
  FileHost host;
  const std::string copy = host.host().state() + "/copy.ndjson";
  host.write("100ms", fmt::format("sinks: {{copy: {{type: file, path: {}, format: flattened}}}}\n", copy));
  const std::string stream = "http://x/api/v2/tailnet/-/logging/network/stream";
  {
    Program program({"run", "--config", host.file()});
    program.wait_for_output("counting tailscale0");
    const std::string put =
        "-X PUT -d "
        "'{\"destinationType\":\"splunk\",\"url\":\"http://127.0.0.1:1/services/collector/"
        "event\",\"token\":\"" +
        std::string(kSecret) + "\",\"user\":\"\",\"compressionFormat\":\"none\",\"gcsScopes\":[]}' ";
    CHECK(run_in_shell(host.curl() + "--fail " + put + stream).status == 0);
    // Somebody who may use the socket, and nothing more.
    std::filesystem::permissions(host.host().state(), std::filesystem::perms::all);
    std::filesystem::permissions(host.host().socket(), std::filesystem::perms::all);
    const Ran refused =
        run_in_shell("setpriv --reuid 65534 --clear-groups --regid 65534 " + host.curl() + put + stream);
    CHECK_THAT(refused.out, ContainsSubstring("you may not"));
    CHECK(run_in_shell("echo 'type: http\nurl: http://127.0.0.1:1/' | " + std::string(FLOWTALLY_PROGRAM) +
                       " stream add mine - --socket " + host.host().socket())
              .status == 0);
    for (std::uint32_t at = 0; at < 1000; ++at) REQUIRE(host.host().tun().write(numbered(at)) == 0);
    wait_until([&] {
      return std::filesystem::exists(copy) &&
             number_in_shell("jq -s '[.[].rxPkts]|add // 0' " + copy) == 1000;
    });
    program.signal(SIGTERM);
    CHECK(program.wait() == 0);
    CHECK(program.err().find(kSecret) == std::string::npos);
  }
  Program program({"run", "--config", host.file()});
  program.wait_for_output("counting tailscale0");
  CHECK(run_in_shell(host.curl() + "--fail " + stream).out ==
        R"({"logType":"network","destinationType":"splunk",)"
        R"("url":"http://127.0.0.1:1/services/collector/event","user":"",)"
        R"("compressionFormat":"none","gcsScopes":[]})"
        "\n");
  CHECK(run_in_shell(host.curl() + "--fail http://x/api/v1/streams | jq -r '[.streams[].name]|join(\" \")'")
            .out == "api-network copy mine\n");
  CHECK(run_in_shell(host.curl() + "--fail -X DELETE " + stream).status == 0);
  CHECK(run_in_shell(std::string(FLOWTALLY_PROGRAM) + " stream remove mine --socket " + host.host().socket())
            .status == 0);
  CHECK(run_in_shell(host.curl() + "--fail " + stream).status != 0);
  CHECK(host.audit("[.logs[]|select(.target.property==\"LOGSTREAM_ENDPOINT\")|.action]|join(\" \")") ==
        "\"CREATE CREATE DELETE DELETE\"\n");
  CHECK_THAT(host.audit(".logs[]|select(.actor.id==\"65534\")|.error"),
             ContainsSubstring("change log streams"));
  CHECK_THAT(host.audit("[.logs[]|.action+\" \"+.target.property]"),
             ContainsSubstring("DISABLE NETWORK_FLOW_LOGGING"));
  program.signal(SIGTERM);
  CHECK(program.wait() == 0);
  // Streams that are gone have taken their secret with them, and no log ever had it.
  CHECK(run_in_shell("grep -r " + std::string(kSecret) + " " + host.host().state()).status == 1);
}

}  // namespace flowtally::test
