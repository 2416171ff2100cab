// This file cuts a window into records. The number of parts stands in every part, so it has to be known
// before the first is written: a first pass over the flows only measures them (part_plan.hpp), filling parts
// one after the other, and a second one writes. That costs a fraction of the writing and keeps memory at one
// line; holding the text of all parts would cost 13 MB at 100,000 flows.
#include "record/window_writer.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "record/node.hpp"
#include "record/part_plan.hpp"

namespace flowtally::record {
namespace {

using model::Accounting;
using model::ClassifiedWindow;
using model::Counters;
using model::TrafficClass;

/// The accounting of the window, as if it were one record.
Accounting accounting_of(const ClassifiedWindow& window, std::string_view boot_id) {
  Accounting whole{.boot_id = std::string(boot_id),
                   .epoch = window.epoch,
                   .totals = window.totals.hook,
                   .coarse = window.coarse,
                   .unparsed = window.totals.unparsed,
                   .excluded = window.totals.excluded,
                   .dropped = window.totals.dropped,
                   .dropped_late = window.totals.dropped_late,
                   .device_dropped = window.totals.device_dropped,
                   .underlay = {}};
  if (window.underlay.counted) whole.underlay = window.underlay;
  whole.underlay.rest = {};  // it is in `unmapped`
  return whole;
}

/// Bytes that no part's accounting exceeds: each has the same or smaller numbers, and fewer of them.
std::size_t accounting_bytes_max(Accounting whole) {
  whole.part = std::numeric_limits<std::uint32_t>::max();
  whole.parts = whole.part;
  std::string text;
  append_accounting(whole, text);
  return text.size();
}

/// Nothing was listed and nothing counted: there is nothing to say.
bool idle(const ClassifiedWindow& window, const Accounting& whole) {
  const auto empty = [](const std::vector<model::Flow>& flows) { return flows.empty(); };
  const Accounting nothing{
      .boot_id = whole.boot_id, .epoch = whole.epoch, .underlay = {.counted = whole.underlay.counted}};
  return std::ranges::all_of(window.traffic, empty) && whole == nothing;
}

std::uint64_t take_number(std::uint64_t wanted, std::uint64_t& left) noexcept {
  const std::uint64_t taken = std::min(wanted, left);
  left -= taken;
  return taken;
}

/// Takes `wanted` out of `left`, or what there is: where a window is not conserved, the sum over its records
/// is still what the hook saw, and the record that does not add up shows it.
Counters take(const Counters& wanted, Counters& left) noexcept {
  return {.tx_packets = take_number(wanted.tx_packets, left.tx_packets),
          .tx_bytes = take_number(wanted.tx_bytes, left.tx_bytes),
          .rx_packets = take_number(wanted.rx_packets, left.rx_packets),
          .rx_bytes = take_number(wanted.rx_bytes, left.rx_bytes)};
}

/// How far the wall clock may differ from the boot clock over a window and still be only slewed: adjtimex(2)
/// slews by at most 500 ppm; the rest covers that the two clocks are not read in the same instant.
constexpr std::int64_t slew_max_ns(std::int64_t length_ns) noexcept { return 1'000'000 + length_ns / 1000; }

/// Windows follow each other without a gap, so as a rule the start is the end of the one before. Where the
/// wall clock was set meanwhile, the start is measured back from the end on the boot clock: that makes no
/// negative window.
LineHead head_of(const ClassifiedWindow& window, std::string_view node_id) noexcept {
  const std::int64_t length_ns = std::max<std::int64_t>(0, window.end.boot_ns - window.start.boot_ns);
  const std::int64_t measured_ns = window.end.wall_ns - length_ns;
  const bool set_meanwhile = std::abs(window.start.wall_ns - measured_ns) > slew_max_ns(length_ns);
  const bool usable = !set_meanwhile && window.start.wall_ns <= window.end.wall_ns;
  return {.node_id = node_id,
          .start_ns = usable ? window.start.wall_ns : measured_ns,
          .end_ns = window.end.wall_ns};
}

/// What is the same in all parts, and what is left for those to come.
class Parts {
 public:
  Parts(const ClassifiedWindow& window, const Identity& identity, const WriteOptions& options,
        Accounting whole)
      : window_(window), options_(options), whole_(std::move(whole)) {
    append_head(head_of(window, identity.node_id), head_);
    if (const model::Node& self = window.nodes->node(model::NodeIndex::kSelf); !self.id.empty()) {
      head_ += kSrcNode;
      append_node(self, head_);
    }
    std::size_t frame = head_.size() + kLineEnd.size();
    if (options.accounting) frame += accounting_bytes_max(whole_);
    FLOWTALLY_CHECK(frame + kDstNodesBegin.size() + 2 * (kNodeBytesMax + 1) + kListBytesMax + kEntryBytesMax <
                    kRecordBytesMax);
    plan_ = plan_parts(window, kRecordBytesMax - frame);
    if (plan_.empty() && options.accounting) plan_.emplace_back();  // the accounting alone
    whole_.parts = static_cast<std::uint32_t>(plan_.size());
  }

  void write(const LineSink& sink) {
    for (const Part& part : plan_) {
      line_ = head_;
      append_dst_nodes(part);
      Counters listed = append_traffic(part, TrafficClass::kVirtual);
      listed += append_traffic(part, TrafficClass::kSubnet);
      listed += append_traffic(part, TrafficClass::kExit);
      const Counters below = append_traffic(part, TrafficClass::kPhysical);
      if (options_.accounting) append_accounting(share(listed, below), line_);
      line_ += kLineEnd;
      FLOWTALLY_CHECK(line_.size() <= kRecordBytesMax);
      sink(line_);
      ++whole_.part;
    }
  }

 private:
  /// Of the frame of any list: `,"physicalTraffic":[` and `]`.
  static constexpr std::size_t kListBytesMax = kTrafficBegin.back().size() + kListEnd.size();

  void append_dst_nodes(const Part& part) {
    if (part.dst_nodes.empty()) return;
    line_ += kDstNodesBegin;
    for (const model::NodeIndex node : part.dst_nodes) {
      append_node(window_.nodes->node(node), line_);
      line_ += ',';
    }
    line_.pop_back();  // the last comma
    line_ += kListEnd;
  }

  /// The next flows of a list, as many as the part has; what they sum up to.
  Counters append_traffic(const Part& part, TrafficClass which) {
    const auto place = static_cast<std::size_t>(which);
    const std::size_t entries = part.entries[place];
    Counters listed;
    if (entries == 0) return listed;
    line_ += kTrafficBegin[place];
    const auto flows = std::span(window_.of(which)).subspan(next_[place], entries);
    next_[place] += entries;
    for (const model::Flow& flow : flows) {
      append_entry(flow, line_);
      line_ += ',';
      listed += flow.counters;
    }
    line_.pop_back();  // the last comma
    line_ += kListEnd;
    return listed;
  }

  /// The accounting of this part. `whole_` has what no part has had yet, so the last one takes all of it.
  Accounting share(const Counters& listed, const Counters& below) {
    Accounting share = whole_;
    if (whole_.part < whole_.parts) {
      share = {.boot_id = whole_.boot_id,
               .epoch = whole_.epoch,
               .part = whole_.part,
               .parts = whole_.parts,
               .totals = take(listed, whole_.totals),
               .underlay = {.hook = take(below, whole_.underlay.hook)}};
    }
    share.underlay.counted = false;
    share.underlay.counted = share.underlay != model::Underlay{};  // written where something is in it
    return share;
  }

  const ClassifiedWindow& window_;
  const WriteOptions& options_;
  std::string head_;
  std::vector<Part> plan_;
  std::array<std::size_t, model::kTrafficClasses> next_{};  ///< first entry of each list not in a part yet
  Accounting whole_;  ///< of the window, less the totals of the parts that are written
  std::string line_;
};

}  // namespace

void write_window(const ClassifiedWindow& window, const Identity& identity, const WriteOptions& options,
                  const LineSink& sink) {
  FLOWTALLY_CHECK(identity.node_id.size() <= kIdentityBytesMax &&
                  identity.boot_id.size() <= kIdentityBytesMax);
  FLOWTALLY_CHECK(window.nodes != nullptr);
  Accounting whole = accounting_of(window, identity.boot_id);
  if (idle(window, whole)) return;
  Parts(window, identity, options, std::move(whole)).write(sink);
}

}  // namespace flowtally::record
