// This file cuts a window into records. The number of parts stands in every part, so it has to be known
// before the first is written: a first pass over the flows only measures them (entry_bytes), greedily filling
// parts, and a second one writes. That costs a fraction of the writing and keeps memory at one line; holding
// the text of all parts would cost 13 MB at 100,000 flows.
#include "record/window_writer.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/check.hpp"

namespace flowtally::record {
namespace {

using model::Counters;
using model::Flow;

/// The flows and coarse flows of a window as one sequence in record order. A view: the window must outlive
/// it.
class Listing {
 public:
  struct Entry {
    const Flow& flow;
    bool coarse;
  };

  explicit Listing(const model::Window& window) noexcept : flows_(window.flows), coarse_(window.coarse) {}

  [[nodiscard]] bool empty() const noexcept { return flows_.empty() && coarse_.empty(); }
  /// Takes the next one; there must be one.
  Entry take() noexcept {
    const bool coarse =
        flows_.empty() || (!coarse_.empty() && model::record_order(coarse_.front(), flows_.front()));
    std::span<const Flow>& from = coarse ? coarse_ : flows_;
    const Flow& flow = from.front();
    from = from.subspan(1);
    return {.flow = flow, .coarse = coarse};
  }

 private:
  std::span<const Flow> flows_;
  std::span<const Flow> coarse_;
};

/// How many entries each part has: as many as go into `room` bytes, commas included.
std::vector<std::size_t> plan_parts(Listing listing, std::size_t room) {
  std::vector<std::size_t> parts;
  std::size_t entries = 0;
  std::size_t used = 0;
  while (!listing.empty()) {
    const std::size_t bytes = entry_bytes(listing.take().flow) + 1;
    if (used + bytes > room) {
      parts.push_back(entries);
      entries = 0;
      used = 0;
    }
    ++entries;
    used += bytes;
  }
  if (entries > 0) parts.push_back(entries);
  return parts;
}

/// The most that the accounting can be for this boot id, whatever the numbers.
std::size_t accounting_bytes_max(std::string_view boot_id) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  constexpr Counters kLongest{.tx_packets = kMost, .tx_bytes = kMost, .rx_packets = kMost, .rx_bytes = kMost};
  constexpr auto kParts = std::numeric_limits<std::uint32_t>::max();
  std::string text;
  append_accounting({.boot_id = std::string(boot_id),
                     .epoch = kMost,
                     .part = kParts,
                     .parts = kParts,
                     .totals = kLongest,
                     .coarse = kLongest,
                     .unparsed = kLongest,
                     .excluded = kLongest},
                    text);
  return text.size();
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
LineHead head_of(const model::Window& window, std::string_view node_id) noexcept {
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
  Parts(const model::Window& window, const Identity& identity, const WriteOptions& options)
      : window_(window), options_(options), listing_(window), hook_left_(window.totals.hook) {
    append_head(head_of(window, identity.node_id), head_);
    accounting_.boot_id = identity.boot_id;
    accounting_.epoch = window.epoch;
    std::size_t frame = head_.size() + kTrafficBegin.size() + kTrafficEnd.size() + kLineEnd.size();
    if (options.accounting) frame += accounting_bytes_max(identity.boot_id);
    FLOWTALLY_CHECK(frame + kEntryBytesMax < kRecordBytesMax);
    plan_ = plan_parts(listing_, kRecordBytesMax - frame + 1);    // the last entry has no comma
    if (plan_.empty() && options.accounting) plan_.push_back(0);  // the totals alone
    accounting_.parts = static_cast<std::uint32_t>(plan_.size());
  }

  void write(const LineSink& sink) {
    for (const std::size_t entries : plan_) {
      line_ = head_;
      const Counters listed = append_traffic(entries);
      if (options_.accounting) append_proof(listed);
      line_ += kLineEnd;
      FLOWTALLY_CHECK(line_.size() <= kRecordBytesMax);
      sink(line_);
      ++accounting_.part;
    }
  }

 private:
  /// The next `entries` flows; what they sum up to.
  Counters append_traffic(std::size_t entries) {
    Counters listed;
    accounting_.coarse = {};
    if (entries == 0) return listed;
    line_ += kTrafficBegin;
    for (std::size_t entry = 0; entry < entries; ++entry) {
      const auto [flow, coarse] = listing_.take();
      if (entry > 0) line_ += ',';
      append_entry(flow, line_);
      listed += flow.counters;
      if (coarse) accounting_.coarse += flow.counters;
    }
    line_ += kTrafficEnd;
    return listed;
  }

  void append_proof(const Counters& listed) {
    if (accounting_.part < accounting_.parts) {
      accounting_.totals = take(listed, hook_left_);
    } else {
      accounting_.totals = hook_left_;
      accounting_.unparsed = window_.totals.unparsed;
      accounting_.excluded = window_.totals.excluded;
    }
    append_accounting(accounting_, line_);
  }

  const model::Window& window_;
  const WriteOptions& options_;
  std::string head_;
  std::vector<std::size_t> plan_;  ///< entries of each part
  Listing listing_;
  Counters hook_left_;  ///< of the hook totals: not yet in a part
  model::Accounting accounting_;
  std::string line_;
};

}  // namespace

void write_window(const model::Window& window, const Identity& identity, const WriteOptions& options,
                  const LineSink& sink) {
  FLOWTALLY_CHECK(identity.node_id.size() <= kIdentityBytesMax &&
                  identity.boot_id.size() <= kIdentityBytesMax);
  if (window.idle()) return;
  Parts(window, identity, options).write(sink);
}

}  // namespace flowtally::record
