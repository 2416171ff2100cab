// The batches that are made ahead of a receiver: each record in one of them, also where they were forgotten
// while the receiver took nothing.
#include "sink/batch_source.hpp"

#include <stop_token>
#include <string>
#include <utility>

#include "server/sink/rig.hpp"
#include "sink/batch_maker.hpp"

namespace flowtally::sink {
namespace {

model::SinkSettings flattened_sink() {
  return {.name = "s",
          .format = model::ItemFormat::kFlattened,
          .receiver = model::FileSettings{.path = "/nowhere"}};
}

}  // namespace

TEST_CASE("a batch that was forgotten while the receiver took nothing is made again, no record is missing") {
  constexpr std::uint64_t kRecords = 400;
  test::Written written;
  written.append(kRecords);
  auto maker = BatchMaker::make(flattened_sink(), model::LogType::kNetwork);
  auto reader = journal::JournalReader::open(written.directory());
  REQUIRE((maker && reader));
  auto source =
      BatchSource::start(std::move(*reader), std::move(*maker),
                         {.items_max = 6, .age_max = std::chrono::milliseconds(1)}, [](const auto&) {});
  REQUIRE(source);
  const std::stop_source stop;
  journal::Sequence next = 1;
  std::uint64_t taken = 0;
  std::uint64_t items = 0;
  while (next <= kRecords) {
    (*source)->hold(true);
    (*source)->hold(false);
    auto filled = (*source)->take(stop.get_token());
    REQUIRE(filled);
    REQUIRE(filled->batch.first == next);
    next = filled->batch.next;
    items += filled->batch.items.size();
    if (++taken % 2 == 0) (*source)->give_back(std::move(filled->batch));
  }
  CHECK(next == kRecords + 1);
  CHECK(items == 2 * kRecords);
}

}  // namespace flowtally::sink
