// This file takes the records of the demo: prints them as they come, reads them back, and sums them up by
// flow.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/record_output.hpp"
#include "model/window.hpp"
#include "record/reader.hpp"

namespace flowtally::app {

/// Everything that is compared comes from the text of the records, so writing them is part of what is proven.
/// One thread at a time.
class DemoOutput final : public RecordOutput {
 public:
  void add(std::string_view line) override;
  [[nodiscard]] base::Result<Progress> flush() override;

  /// Sums over all records and their virtual, subnet and exit lists, in record order, each key once.
  [[nodiscard]] std::vector<model::Flow> flows() const;
  [[nodiscard]] const model::Counters& totals() const noexcept { return totals_; }
  [[nodiscard]] std::size_t records() const noexcept { return records_; }
  /// The first line that could not be read back.
  [[nodiscard]] const std::optional<std::string>& unreadable() const noexcept { return unreadable_; }

 private:
  record::RecordReader reader_;
  std::vector<model::Flow> flows_;
  model::Counters totals_;
  std::size_t records_ = 0;
  std::optional<std::string> unreadable_;
};

}  // namespace flowtally::app
