// This file is what a sink sends: items, each with its text and what the receiver's form needs to know of it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "journal/entry.hpp"
#include "model/sink_settings.hpp"

namespace flowtally::sink {

/// The same record has the same hash whenever it is read: that of its boot id, epoch and part, or of its line
/// where it has none.
using RecordHash = std::array<std::uint64_t, 2>;

/// One document: a record, a connection, an event of the audit log, or the news of a gap.
struct Item {
  std::size_t at = 0;  ///< of its text in Batch::text
  std::size_t size = 0;
  journal::Sequence sequence = 0;  ///< of the record that it comes from
  std::uint32_t part = 0;          ///< which of that record's items it is, from 0
  std::int64_t time_ns = 0;        ///< the window's start, or the event's time
  std::int64_t logged_ns = 0;
  RecordHash record{};  ///< of the record that it comes from
};

/// Items of the records [first, next) of one journal, in their order. Every item's text is one line of JSON
/// without its line end.
struct Batch {
  model::LogType log_type = model::LogType::kNetwork;
  std::string text{};
  std::vector<Item> items{};
  std::string node_id{};  ///< of the records, as far as there is one
  journal::Sequence first = 1;
  journal::Sequence next = 1;

  [[nodiscard]] std::string_view text_of(const Item& item) const noexcept {
    return std::string_view(text).substr(item.at, item.size);
  }
};

/// The same item has the same id whenever it is made again: its time in seconds, so that ids of one time lie
/// together in a receiver's index, and 96 bits of a hash of its record and its place in that. 22 characters
/// of URL-safe base64.
[[nodiscard]] std::string item_id(const Batch& batch, const Item& item);

}  // namespace flowtally::sink
