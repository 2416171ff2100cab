#include "query/terms.hpp"

#include <cstring>

#include "query/line.hpp"
#include "record/boot_hash.hpp"
#include "record/reader.hpp"

namespace flowtally::query {
namespace {

enum class Kind : std::uint8_t { kAddress = 1, kPort = 2, kBlock = 3 };

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) noexcept {
  hash = (hash ^ word) * 0x9fb21c651e98df25U;
  return hash ^ (hash >> 32U);
}

std::uint64_t term(Kind kind, const model::Address& address) noexcept {
  std::uint64_t words[2];
  std::memcpy(words, address.bytes.data(), sizeof(words));
  const auto head = static_cast<std::uint64_t>(kind) << 8U | static_cast<std::uint64_t>(address.family);
  return mix(mix(mix(0x2545f4914f6cdd1dU, head), words[0]), words[1]);
}

}  // namespace

std::uint64_t address_term(const model::Address& address) noexcept { return term(Kind::kAddress, address); }

std::uint64_t port_term(std::uint16_t port) noexcept {
  return mix(mix(0x2545f4914f6cdd1dU, static_cast<std::uint64_t>(Kind::kPort)), port);
}

std::uint64_t block_term(const model::Address& address) noexcept {
  const bool v4 = address.family == model::Address::Family::kV4;
  return term(Kind::kBlock, model::Prefix::of(address, v4 ? kTermBits4 : kTermBits6).address);
}

void terms_of(std::string_view line, const journal::TermSink& sink) {
  thread_local LineReader reader;
  const Line* const read = reader.read(line, Nodes::kNo);
  if (read == nullptr) return;
  model::Address before{};  // most neighbours share an address: records are sorted
  const auto give = [&](const model::Endpoint& end, model::Address& known) {
    if (end.address != known) {
      sink(address_term(end.address));
      sink(block_term(end.address));
      known = end.address;
    }
    sink(port_term(end.port));
  };
  model::Address remote_before{};
  for (const Connection& connection : read->connections) {
    give(connection.flow.local, before);
    give(connection.flow.remote, remote_before);
  }
}

std::optional<journal::Description> describe(std::string_view line) {
  record::RecordReader reader;
  const auto record = reader.read(line);
  if (!record) return std::nullopt;
  journal::Description description{.start_ns = record->start_ns, .end_ns = record->end_ns, .key = {}};
  const model::Accounting& accounting = record->accounting;
  if (!accounting.boot_id.empty()) {
    description.key = {.boot_hash = record::boot_hash(accounting.boot_id),
                       .epoch = accounting.epoch,
                       .part = accounting.part,
                       .parts = accounting.parts};
  }
  return description;
}

}  // namespace flowtally::query
