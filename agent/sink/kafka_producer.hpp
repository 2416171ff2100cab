// This file is the receiver of kind kafka: each item is a message, and is delivered when the broker's report
// on it says so, and by nothing else. Part of the Kafka module.
//
// The producer is idempotent, so that what librdkafka itself sends again is there once. What send() gives
// again after a failure may be there twice: each message carries its item's id for whoever reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <librdkafka/rdkafka.h>

#include "sink/kafka_config.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// What a report of the broker's, or of librdkafka's for it, means for one item.
[[nodiscard]] Verdict kafka_verdict(rd_kafka_resp_err_t error) noexcept;

class KafkaProducer final : public Receiver {
 public:
  using ItemId = std::string (*)(const Batch& batch, const Item& item);

  KafkaProducer(KafkaConfig config, ItemId item_id);
  ~KafkaProducer() override;

  [[nodiscard]] ReceiverTraits traits() const override;
  [[nodiscard]] Outcome send(const Batch& batch, std::size_t first, std::size_t count,
                             const std::stop_token& stop) override;

 private:
  struct HandleDeleter {
    void operator()(rd_kafka_t* handle) const noexcept { ::rd_kafka_destroy(handle); }
  };
  /// One item of the send() that runs.
  struct Report {
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__IN_PROGRESS;
    bool of_broker = false;  ///< else librdkafka did not take it
  };

  static void on_report(rd_kafka_t* handle, const rd_kafka_message_t* message, void* self);
  static void on_error(rd_kafka_t* handle, int error, const char* reason, void* self);

  [[nodiscard]] std::string open();
  [[nodiscard]] rd_kafka_resp_err_t produce(const Batch& batch, const Item& item, Report& report);
  void produce_all(const Batch& batch, std::size_t first, std::size_t count);
  /// False: the end of the time, a stop, or a failure after which waiting is no use.
  [[nodiscard]] bool wait_below(std::size_t waiting);
  void give_up();
  [[nodiscard]] Outcome outcome_of(const Batch& batch, std::size_t first) const;

  const KafkaConfig config_;
  const ItemId item_id_;
  std::unique_ptr<rd_kafka_t, HandleDeleter> handle_{};

  // Of the send() that runs; reports come in rd_kafka_poll(), on the same thread.
  std::vector<Report> reports_{};
  std::size_t waiting_ = 0;
  std::size_t answered_ = 0;
  const std::stop_token* stop_ = nullptr;
  std::chrono::steady_clock::time_point deadline_{};
  rd_kafka_resp_err_t failure_ = RD_KAFKA_RESP_ERR_NO_ERROR;  ///< of the connection, not of an item
  std::string failure_text_{};
  bool fatal_ = false;
};

}  // namespace flowtally::sink
