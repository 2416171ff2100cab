// This file is how the agent is doing, as one value: what `flowtally status`, the metrics and the health of
// the API are made of. Whoever runs the agent fills it; values, no I/O. Sums are since the start of this
// process, moments are nothing where the thing has not happened yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/sink_status.hpp"
#include "model/tailnet.hpp"
#include "model/window.hpp"

namespace flowtally::model {

/// One device that is counted, or waited for.
struct AttachmentStatus {
  std::string interface{};
  std::uint32_t ifindex = 0;  ///< 0: not known
  bool attached = false;      ///< false: waiting for the device, or not let in (`failure`)
  std::string mode{};         ///< "TCX" or "clsact"; empty while nothing is attached
  std::optional<base::Moment> attached_since{};
  std::string failure{};         ///< why the programs could not be put on it, of the latest try
  bool drops_taken_off = false;  ///< packets that the device's ring dropped are taken off the flows
  std::uint64_t gaps = 0;        ///< times that the device, or our program on it, went away
  std::int64_t uncounted_ns = 0;
};

/// What was found in the kernel at the start.
struct AdoptionStatus {
  bool adopted = false;              ///< pinned maps of an earlier process were taken over
  std::uint64_t epochs_adopted = 0;  ///< generations with counts that an earlier process had left
};

struct WindowSums {
  std::uint64_t windows = 0;             ///< in which anything passed the hook
  std::uint64_t windows_unbalanced = 0;  ///< of them, those that did not add up
  std::uint64_t pressure_drains = 0;     ///< drains before their time, because a generation filled up
  std::uint64_t flows = 0;               ///< entries of all windows
  Counters coarse{};                     ///< counted without ports
  Totals totals{};                       ///< with `hook`, all that passed
  Underlay underlay{};
};

struct TableStatus {
  std::uint64_t capacity4 = 0;  ///< entries of the active generation
  std::uint64_t capacity6 = 0;
  std::uint64_t flows_max = 0;     ///< --max-flows, of each family
  std::uint64_t flows_latest = 0;  ///< entries of the latest window
};

struct DrainStatus {
  std::int64_t interval_ns = 0;  ///< --interval
  std::optional<base::Moment>
      tried_at{};  ///< the agent's loop came by; it does so even while the output fails
  std::optional<base::Moment> done_at{};     ///< a generation was read
  std::int64_t duration_ns = 0;              ///< from flip to the end of reading, of the latest one
  std::optional<base::Moment> window_end{};  ///< of the latest window that was written
  std::string failure{};                     ///< why the latest drain failed; empty if it did not
};

/// One journal: of flows ("network"), or of changes of configuration ("configuration").
struct JournalStatus {
  std::string log_type{};
  std::uint64_t first = 1;  ///< number of the oldest record; equal to `next` if there is none
  std::uint64_t next = 1;
  std::uint64_t bytes = 0;
  std::uint64_t segments = 0;
  std::uint64_t segments_waiting = 0;  ///< full and not sealed yet
  std::uint64_t removed_records = 0;   ///< by retention, since the journal began
  std::uint64_t removed_bytes = 0;
  std::uint64_t removed_segments = 0;
  std::uint64_t failures = 0;                   ///< of appending
  std::optional<base::Moment> failing_since{};  ///< nothing while it succeeds
  std::string failure{};                        ///< why, of the latest
};

/// The extra copy that --output asks for.
struct OutputStatus {
  bool wanted = false;
  std::uint64_t failures = 0;
  std::optional<base::Moment> failing_since{};
  std::string failure{};
};

struct IdentityStatus {
  Tailnet::Source source = Tailnet::Source::kNone;
  bool reachable = false;
  bool folder_removed = false;  ///< the mounted folder of tailscaled's socket is one that it has left
  std::string backend_state{};  ///< of tailscaled, "Running"
  std::string tailscaled_version{};
  bool has_tun = true;
  bool bus_open = false;
  std::int64_t read_boot_ns = 0;  ///< when the newest state was asked for, boot clock; 0: never
  std::uint64_t peers = 0;
  bool prefs_known = false;
  std::uint64_t reads = 0;
  std::uint64_t failures = 0;
  std::uint64_t forced_refreshes = 0;
  std::uint64_t bus_messages = 0;
  std::uint64_t events_lost = 0;
  std::uint64_t peers_left_out = 0;
  std::uint64_t remembered_endpoints = 0;
  std::string last_error{};
};

struct AgentStatus {
  std::string version{};
  std::string node_id{};
  std::string boot_id{};
  base::Moment now{};  ///< when this was put together
  base::Moment started{};
  std::uint64_t epoch = 0;  ///< of the active generation
  std::vector<AttachmentStatus> attachments{};
  AdoptionStatus adoption{};
  WindowSums sums{};
  TableStatus table{};
  DrainStatus drain{};
  std::vector<JournalStatus> journals{};
  OutputStatus output{};
  std::vector<SinkStatus> sinks{};
  IdentityStatus identity{};
};

}  // namespace flowtally::model
