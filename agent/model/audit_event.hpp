// This file is one event of the configuration audit log: who changed what of flowtally, when, from what to
// what. The shape is that of Tailscale's configuration audit logs. Values, no I/O.
#pragma once

#include <cstdint>
#include <string>

namespace flowtally::model {

struct AuditActor {
  std::string type{};  ///< "USER": somebody on this host; "NODE": flowtally by itself
  std::string id{};    ///< the user's number, or the node's id
  std::string login_name{};
  std::string display_name{};

  friend bool operator==(const AuditActor&, const AuditActor&) = default;
};

struct AuditTarget {
  std::string id{};
  std::string name{};
  std::string type{};      ///< "NODE", "LOGSTREAM"
  std::string property{};  ///< which part of it; empty: all

  friend bool operator==(const AuditTarget&, const AuditTarget&) = default;
};

/// `old_json` and `new_json` are JSON texts, or empty where there was or is nothing. Secrets are in none of
/// it: whoever makes an event masks them.
struct AuditEvent {
  std::int64_t time_ns = 0;  ///< since 1970-01-01 UTC
  std::string group_id{};    ///< 32 hexadecimal digits; events of one change have it in common
  std::string origin{};  ///< "CONFIG_API": over the socket; "NODE": the configuration file, start and stop
  AuditActor actor{};
  AuditTarget target{};
  std::string action{};  ///< "CREATE", "UPDATE", "DELETE", "ENABLE", "DISABLE"
  std::string old_json{};
  std::string new_json{};
  std::string details{};
  std::string error{};  ///< of an attempt that was refused: nothing was changed

  friend bool operator==(const AuditEvent&, const AuditEvent&) = default;
};

}  // namespace flowtally::model
