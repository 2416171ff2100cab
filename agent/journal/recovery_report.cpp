#include "journal/recovery_report.hpp"

#include <utility>

namespace flowtally::journal {

void RecoveryReport::add(RecoveryEvent event) {
  if (events.size() < kRecoveryEventsMax) {
    events.push_back(std::move(event));
  } else {
    ++events_more;
  }
}

}  // namespace flowtally::journal
