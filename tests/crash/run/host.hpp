// This file is a host on which the program is run, killed and run again, with the journal that must be right
// in the end.
#pragma once

#include <csignal>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "journal/reader.hpp"
#include "net/capture/node.hpp"
#include "net/run/numbered_traffic.hpp"
#include "support/catch.hpp"
#include "support/private_bpffs.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {

/// One host: a device, a BPF file system and a state directory that outlive the runs.
class Host {
 public:
  [[nodiscard]] std::vector<std::string> run_arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"run",
                                       "--interval",
                                       "100ms",
                                       "--no-physical",
                                       "--bpffs",
                                       bpffs_.path(),
                                       "--state-dir",
                                       state_.path.string(),
                                       "--node-id",
                                       "nTest",
                                       "--tailscaled-socket",
                                       "/nonexistent/socket",
                                       "--socket",
                                       socket()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  [[nodiscard]] std::string socket() const { return (state_.path / "flowtally.sock").string(); }
  [[nodiscard]] std::string state() const { return state_.path.string(); }
  [[nodiscard]] TestTun& tun() noexcept { return tun_; }
  [[nodiscard]] const PrivateBpffs& bpffs() const noexcept { return bpffs_; }

  /// A run that ends as it should, with all that was counted in the journal.
  void run_to_a_good_end() const {
    Program program(run_arguments());
    program.wait_for_output("counting tailscale0");
    program.signal(SIGTERM);
    CHECK(program.wait() == 0);
    INFO(program.err());
    CHECK(program.err().find("[error]") == std::string::npos);
  }

  /// All records, in order, with no number missing, and each window once.
  [[nodiscard]] Counted journal() const {
    auto reader = journal::JournalReader::open((state_.path / "network").string());
    REQUIRE(reader);
    record::RecordReader records;
    Counted counted;
    journal::Sequence next = 1;
    std::set<std::pair<std::uint64_t, std::uint64_t>> windows;  // epoch and part
    for (;;) {
      const auto step = reader->next();
      REQUIRE(step);
      if (std::holds_alternative<journal::AtEnd>(*step)) return counted;
      REQUIRE(std::holds_alternative<journal::Record>(*step));
      const auto& line = std::get<journal::Record>(*step);
      CHECK(line.sequence == next++);
      const auto record = records.read(line.line);
      REQUIRE(record);
      CHECK(windows.emplace(record->accounting.epoch, record->accounting.part).second);
      counted.take(*record);
    }
  }

 private:
  TestTun tun_{TestTun::Headers::kBare};
  PrivateBpffs bpffs_;
  TempDir state_;
};

}  // namespace flowtally::test
