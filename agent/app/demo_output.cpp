#include "app/demo_output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace flowtally::app {
namespace {

/// Adds up neighbours with one key; `flows` is in record order.
void merge_equal(std::vector<model::Flow>& flows) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < flows.size(); ++at) {
    if (kept > 0 && !model::record_order(flows[kept - 1], flows[at])) {
      flows[kept - 1].counters += flows[at].counters;
    } else {
      flows[kept++] = flows[at];
    }
  }
  flows.resize(kept);
}

}  // namespace

void DemoOutput::add(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  ++records_;
  auto record = reader_.read(line);
  if (!record) {
    if (!unreadable_) unreadable_ = record.error().text();
    return;
  }
  totals_ += record->accounting.totals;
  for (const auto* const list : {&record->virtual_traffic, &record->subnet_traffic, &record->exit_traffic}) {
    flows_.insert(flows_.end(), list->begin(), list->end());
  }
  std::sort(flows_.begin(), flows_.end(), model::record_order);
  merge_equal(flows_);
}

base::Result<RecordOutput::Progress> DemoOutput::flush() {
  if (std::fflush(stdout) != 0) return base::fail(base::Error::from_errno(errno, "write records to stdout"));
  return Progress::kDone;
}

std::vector<model::Flow> DemoOutput::flows() const { return flows_; }

}  // namespace flowtally::app
