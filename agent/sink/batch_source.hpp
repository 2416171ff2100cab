// This file makes the next batch while the one before is being sent: a thread that reads the journal behind a
// place, and room for one batch.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "journal/reader.hpp"
#include "sink/batch.hpp"
#include "sink/batch_maker.hpp"
#include "sink/dead_letters.hpp"

namespace flowtally::sink {

/// A batch with what became of records that are in no item of it.
struct Filled {
  Batch batch{};
  std::vector<DeadLetter> unreadable{};  ///< lines that are no records
  std::uint64_t records = 0;             ///< that were read, gaps not among them
  std::uint64_t filtered = 0;            ///< connections that the filter left out
  std::uint64_t lost = 0;                ///< records of gaps
  std::int64_t end_ns = 0;               ///< of the last record's window; 0: there is none
};

struct BatchLimits {
  std::uint64_t items_max = 5000;
  std::uint64_t bytes_max = std::uint64_t{512} << 10U;
  std::chrono::milliseconds age_max{200};
};

class BatchSource {
 public:
  /// `failed` is called by the source's thread when the journal cannot be read, once for each try, and with
  /// an empty text when it can again.
  [[nodiscard]] static base::Result<std::unique_ptr<BatchSource>> start(
      journal::JournalReader reader, BatchMaker maker, BatchLimits limits,
      std::function<void(const std::string&)> failed);
  BatchSource(const BatchSource&) = delete;
  BatchSource& operator=(const BatchSource&) = delete;
  ~BatchSource();

  /// Waits for a batch; nothing where the stop came first. One that only moves the place has no items.
  [[nodiscard]] std::optional<Filled> take(const std::stop_token& stop);
  /// A batch that is done with: its memory serves for the next one.
  void give_back(Batch batch);
  /// While the receiver takes nothing, the batch that waits is forgotten, and none is made: the journal has
  /// it.
  void hold(bool held);

 private:
  BatchSource(journal::JournalReader reader, BatchMaker maker, BatchLimits limits, base::UniqueFd wake,
              std::function<void(const std::string&)> failed)
      : reader_(std::move(reader)),
        maker_(std::move(maker)),
        limits_(limits),
        wake_(std::move(wake)),
        failed_(std::move(failed)) {}

  void run(const std::stop_token& stop);
  [[nodiscard]] bool wait_for_room(const std::stop_token& stop);
  [[nodiscard]] std::optional<Filled> fill(const std::stop_token& stop);
  [[nodiscard]] bool take_step(const journal::Step& step, Filled& filled);
  void tell(const std::string& failure);

  // of the source's thread
  journal::JournalReader reader_;
  BatchMaker maker_;
  const BatchLimits limits_;
  base::UniqueFd wake_;  ///< an eventfd: the stop
  std::function<void(const std::string&)> failed_;
  bool failing_ = false;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<Filled> filled_{};  ///< guarded by mutex_, as what follows
  Batch spare_{};                   ///< empty, with room
  bool held_ = false;
  std::jthread thread_;  ///< the last member: it ends first
};

}  // namespace flowtally::sink
