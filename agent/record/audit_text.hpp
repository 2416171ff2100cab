// This file writes events of the configuration audit log as Tailscale's API gives them, a line of JSON each.
// docs/formats/audit.md has the grammar.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/audit_event.hpp"

namespace flowtally::record {

/// The longest `old`, `new`, detail or error; a longer JSON text is replaced by {"truncated":BYTES}.
inline constexpr std::size_t kAuditTextBytesMax = std::size_t{128} << 10U;

/// Appends the line with its line end. `logged_ns`: when it was put into the journal.
void append_audit_event(const model::AuditEvent& event, std::int64_t logged_ns, std::string& out);

/// When the line of an event was logged; nothing if it is none.
[[nodiscard]] std::optional<std::int64_t> audit_logged(std::string_view line);

}  // namespace flowtally::record
