// This file writes syslog messages: RFC 5424, framed for a stream as RFC 6587 has it. Pure.
//
//   <134>1 2026-11-22T23:29:06.069506Z HOST flowtally - network [flowtally@32473 id="…" sequence="7"] {JSON}
//
// Times have six digits, the most that RFC 5424 knows; nanoseconds are in the JSON. No byte order mark: too
// many take it for a part of the text. 32473 is the enterprise number of examples (RFC 5612): flowtally has
// none of its own.
#pragma once

#include <cstddef>
#include <string>

#include "model/sink_settings.hpp"
#include "sink/batch.hpp"

namespace flowtally::sink {

class SyslogForm {
 public:
  /// `settings.host_name` is not empty. What a header cannot have in it becomes "_".
  SyslogForm(const model::SyslogSettings& settings, model::LogType log_type);

  /// Appends the framed message; false, and nothing is appended, if it would be longer than
  /// message_bytes_max. The frame does not count.
  [[nodiscard]] bool append(const Batch& batch, const Item& item, std::string& out) const;

 private:
  std::string priority_;  ///< with the version
  std::string source_;    ///< host, application, no process, kind of message
  bool octet_counting_;
  std::size_t bytes_max_;
};

}  // namespace flowtally::sink
