// This file makes items of a journal's records, as one sink wants them: filtered, in its format, with what
// ids are made of. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "journal/reader.hpp"
#include "model/sink_settings.hpp"
#include "query/filter.hpp"
#include "query/line.hpp"
#include "record/reader.hpp"
#include "sink/batch.hpp"

namespace flowtally::sink {

/// Of a line of either journal.
[[nodiscard]] RecordHash record_hash(std::string_view line) noexcept;

/// Belongs to one thread.
class BatchMaker {
 public:
  /// kInvalidArgument: the filter.
  [[nodiscard]] static base::Result<BatchMaker> make(const model::SinkSettings& settings,
                                                     model::LogType log_type);

  /// Appends the items of the record and moves batch.next behind it; false: the line is no record, and
  /// nothing was appended.
  [[nodiscard]] bool add(const journal::Record& record, Batch& batch);
  /// The news that these records cannot be had; counts as a record's one item.
  void add_gap(const journal::Gap& gap, std::int64_t time_ns, Batch& batch);
  /// A record that somebody made up to see whether it arrives: "flowtally-test" is its node.
  void add_test(std::int64_t time_ns, Batch& batch);

  /// Gives back what reading has grown to. Nothing else changes.
  void forget_buffers() {
    lines_ = {};
    records_ = {};
  }

  /// Connections that the filter left out since it was made.
  [[nodiscard]] std::uint64_t filtered() const noexcept { return filtered_; }

 private:
  BatchMaker(const model::SinkSettings& settings, model::LogType log_type, query::Filter filter)
      : sink_(settings.name), format_(settings.format), log_type_(log_type), filter_(std::move(filter)) {}

  [[nodiscard]] bool add_network(const journal::Record& record, std::string_view line, Batch& batch);
  void add_connections(const query::Line& line, Item item, Batch& batch);
  [[nodiscard]] bool add_matching_part(const query::Line& line, std::string_view text, Item item,
                                       Batch& batch);
  static void end_item(Item item, std::size_t begin, Batch& batch);

  std::string sink_;
  model::ItemFormat format_;
  model::LogType log_type_;
  query::Filter filter_;
  query::LineReader lines_{};
  record::RecordReader records_{};
  std::uint64_t filtered_ = 0;
};

}  // namespace flowtally::sink
