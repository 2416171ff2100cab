// This file lists the subcommands, each with what the command line gave it.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/exit_code.hpp"
#include "capture/attachment.hpp"
#include "cli/answer.hpp"
#include "cli/commands.hpp"
#include "config/faults.hpp"
#include "journal/journal.hpp"
#include "model/sink_settings.hpp"
#include "query/query.hpp"

namespace flowtally::app {

struct RunOptions {
  std::string interface = "tailscale0";
  std::chrono::milliseconds interval{5000};
  std::optional<std::string> output;  ///< none: no copy; without a journal, stdout
  std::string state_dir = "/var/lib/flowtally";
  std::uint64_t retained_bytes = std::uint64_t{4} << 30U;  ///< of the journal; then the oldest records go
  std::int64_t retained_age_ms = 0;                        ///< 0: any age
  journal::SyncPolicy sync = journal::SyncPolicy::kEachBatch;
  bool journal = true;  ///< false: nothing is kept on disk, nothing is pinned, nobody is answered
  bool fresh = false;
  std::string socket = "/run/flowtally/flowtally.sock";
  std::string socket_group;  ///< empty: this process' group
  std::string listen;        ///< TCP address besides the socket; empty: none
  std::string token_file;    ///< for that
  std::string node_id;       ///< empty: as identity says, else derived from the machine id
  std::uint32_t flows_max = 131072;
  std::string bpffs = "/sys/fs/bpf";
  capture::AttachMode attach = capture::AttachMode::kAuto;
  std::optional<std::chrono::milliseconds> duration;  ///< none: until a stop signal
  bool exclude = true;
  bool accounting = true;
  std::string tailscaled_socket = "/var/run/tailscale/tailscaled.sock";
  std::string identity_file;  ///< empty: ask tailscaled
  bool log_exit_flows =
      false;             ///< false: exit traffic is anonymised unless the tailnet's policy says otherwise
  bool physical = true;  ///< count tailscaled's own datagrams
  std::vector<std::string> underlay;  ///< devices that carry them; empty: found by themselves
  std::string user{};                 ///< of the agent; empty: flowtally where there is such a user
  std::string admin_group{};          ///< whose members may change things over the API; empty: root only
  std::vector<model::SinkSettings> sinks{};
  std::string config_file{};  ///< empty: there is none
  /// What the file and the command line say by now; none: nothing can be read again.
  std::function<std::expected<RunOptions, config::Refusal>()> reload{};
};

struct DemoOptions {
  std::optional<std::chrono::milliseconds> duration;  ///< none: until Ctrl-C
  std::chrono::milliseconds interval{1000};
  std::uint32_t flows_max = 131072;
};

struct DetachOptions {
  std::string bpffs = "/sys/fs/bpf";
  std::chrono::milliseconds wait{2000};  ///< for a run that is about to end
};

struct CheckOptions {
  std::string interface = "tailscale0";
  std::string bpffs = "/sys/fs/bpf";
  std::string state_dir = "/var/lib/flowtally";
  std::string tailscaled_socket = "/var/run/tailscale/tailscaled.sock";
  std::string user{};  ///< as of RunOptions
  bool json = false;
};

inline constexpr const char* kSocketPath = "/run/flowtally/flowtally.sock";

/// Of `status` and `peers`.
struct AskOptions {
  std::string socket = kSocketPath;  ///< of the agent that is asked
  bool json = false;
};

struct StatusOptions {
  AskOptions ask{};
  cli::StatusOptions::What what = cli::StatusOptions::What::kAll;
};

struct TailOptions {
  std::string socket = kSocketPath;
  std::vector<std::string> filter;  ///< its words; none: everything
  bool json = false;
};

struct QueryOptions {
  std::string socket = kSocketPath;
  std::string state_dir;  ///< of a run whose journal is read, without asking an agent; empty: ask
  std::vector<std::string> filter;
  query::QueryText text;  ///< but for the filter
  cli::Format format = cli::Format::kTable;
  bool json = false;
};

using ReadOptions = std::function<std::expected<RunOptions, config::Refusal>()>;
/// `read` is called once the process that holds what counts is on its own: it has nothing of what is read.
[[nodiscard]] ExitCode run(const ReadOptions& read);
[[nodiscard]] ExitCode demo(const DemoOptions& options);
[[nodiscard]] ExitCode check(const CheckOptions& options);
/// Takes off everything that runs which are over have left in the kernel.
[[nodiscard]] ExitCode detach(const DetachOptions& options);
/// Does nothing until a stop signal: for a pod that may not end.
[[nodiscard]] ExitCode pause();
[[nodiscard]] ExitCode version();
[[nodiscard]] ExitCode status(const StatusOptions& options);
[[nodiscard]] ExitCode peers(const AskOptions& options);
[[nodiscard]] ExitCode tail(const TailOptions& options);
[[nodiscard]] ExitCode query(QueryOptions options);
[[nodiscard]] ExitCode stream(const cli::StreamOptions& options);
[[nodiscard]] ExitCode configuration(const cli::ConfigurationOptions& options);

/// Reads the command line and runs what it names. Prints what is wrong with it to stderr.
[[nodiscard]] ExitCode run_command_line(int argc, char** argv);

}  // namespace flowtally::app
