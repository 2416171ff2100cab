// This file is the line between the delivery engine, which is the same for all sinks, and what is particular
// to a kind of receiver: how a batch becomes requests, and what the answers mean.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/sink_settings.hpp"
#include "sink/batch.hpp"

namespace flowtally::sink {

/// What an answer means for one item, or for all.
enum class Verdict : std::uint8_t {
  kDelivered,      ///< acknowledged by the receiver
  kAlreadyThere,   ///< delivered earlier: its id is known
  kRetry,          ///< not now: tried again after a pause
  kMisconfigured,  ///< we are refused, not the data: kept, tried slowly, said aloud
  kTooLarge,       ///< the batch: it is halved; of one item: refused
  kRefused,        ///< the receiver will never take it: to the dead-letter file, with the reason
  kBisect,         ///< something in the batch is refused, nobody says what: it is halved until it is found
  kStopped,        ///< the stop came first; nothing is known
};

struct Outcome {
  Verdict verdict = Verdict::kRetry;  ///< of all items, unless `items` says more
  /// Empty, or one for each item of the span that was sent, in order: never kTooLarge, kBisect or kStopped.
  std::vector<Verdict> items{};
  std::vector<std::string> reasons{};  ///< empty, or one for each item; of those that are refused
  std::string reason{};                ///< why it is not kDelivered: for people, without secrets
  std::optional<std::chrono::milliseconds> retry_after{};  ///< as the receiver asks for it
  std::uint64_t bytes = 0;                                 ///< of bodies, before compression
  std::uint64_t bytes_sent = 0;                            ///< and after
  std::uint32_t requests = 0;
};

/// What is best for this kind where the settings do not say.
struct ReceiverTraits {
  std::uint64_t items_max = 5000;
  std::uint64_t bytes_max = std::uint64_t{512} << 10U;     ///< of texts; a body has more around them
  std::uint64_t item_bytes_max = std::uint64_t{1} << 20U;  ///< larger ones are refused without trying
  /// Not 0: a batch waits so long for more, whatever the settings' age is (objects of S3).
  std::chrono::milliseconds age{0};
};

/// One receiver, for one log type. Belongs to one stream's thread. It may keep connections; it keeps no items
/// between calls: what send() has not called delivered is sent again, by it or by a later process.
class Receiver {
 public:
  Receiver() = default;
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  virtual ~Receiver() = default;

  [[nodiscard]] virtual ReceiverTraits traits() const = 0;
  /// Sends batch.items[first, first + count) and waits for what the receiver says, for as long as the
  /// settings allow. A stop ends it within 100 ms.
  [[nodiscard]] virtual Outcome send(const Batch& batch, std::size_t first, std::size_t count,
                                     const std::stop_token& stop) = 0;
};

/// Checks what can be checked without the receiver. kInvalidArgument, kNotFound: the settings;
/// kUnsupported: this kind is not in this build or its module is not installed.
[[nodiscard]] base::Result<std::unique_ptr<Receiver>> make_receiver(const model::SinkSettings& settings,
                                                                    model::LogType log_type);

}  // namespace flowtally::sink
