// This file lists the records of a range of time, `{"logs":[…]}`, straight from the journal: memory is that
// of one reader, whatever the size of the list.
//
// The range is one of `logged`, the journal's index knows the times of windows. A record is logged after its
// window ended, at once as a rule, hours later if the disk was full: so the first record whose window ends in
// the range is looked up by the index, and from there the way goes back, record by record, while they were
// logged in the range too. The journal is in the order of logging.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/answer.hpp"
#include "api/slots.hpp"
#include "api/time_range.hpp"

namespace flowtally::api {

struct LogListing {
  std::string directory{};  ///< of the journal; empty: there is none
  TimeRange range{};
  std::string_view begin = "{\"logs\":[";  ///< what stands before the list, up to its bracket
  std::function<bool()> abandoned{};
  std::function<void(std::uint64_t)> missing{};  ///< told of records that cannot be had any more
  Slot slot{};                                   ///< held as long as the body lives
};

/// Oldest first. Finds the first record before it returns, so that a journal that cannot be read is an Error
/// and not half an answer.
[[nodiscard]] base::Result<std::unique_ptr<Body>> list_logs(LogListing listing);

}  // namespace flowtally::api
