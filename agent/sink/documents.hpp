// This file writes one connection of a record, or one event of the audit log, as a document in the forms that
// receivers know: flattened, ECS, OCSF, OpenTelemetry's names, Splunk's CIM. docs/formats/sinks.md has the
// fields. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/sink_settings.hpp"
#include "query/line.hpp"

namespace flowtally::sink {

/// Appends one JSON object without a line end. What is not known is left out, never made up: an end that
/// anonymised exit traffic does not have, a port of a protocol without ports, a name. `format` is not
/// kRecord. `id` is the item's, for whoever finds it twice.
void append_document(model::ItemFormat format, const query::Line& line, const query::Connection& connection,
                     std::int64_t logged_ns, std::string_view id, std::string& out);

/// `event` is a line of the audit log, without its line end.
void append_audit_document(model::ItemFormat format, std::string_view event, std::int64_t time_ns,
                           std::string& out);

/// Records that nobody can have any more, for the receiver to know.
struct GapNews {
  std::string_view sink{};
  model::LogType log_type = model::LogType::kNetwork;
  std::string_view node_id{};
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::string_view reason{};  ///< "removed", "damaged", "missing"
  std::int64_t time_ns = 0;
};
void append_gap_document(model::ItemFormat format, const GapNews& gap, std::string& out);

/// Community ID 1.0 of the connection's five-tuple with seed 0, for protocols that have one; empty: it has
/// none. https://github.com/corelight/community-id-spec
[[nodiscard]] std::string community_id(const model::Flow& flow);

}  // namespace flowtally::sink
