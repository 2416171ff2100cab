#include "sink/elastic_answer.hpp"

#include <charconv>

#include <fmt/format.h>
#include <simdjson.h>

#include "sink/http_verdict.hpp"

namespace flowtally::sink {
namespace {

namespace dom = simdjson::dom;

Verdict item_verdict(std::uint64_t status, bool ids) noexcept {
  if (status >= 200 && status < 300) return Verdict::kDelivered;
  switch (status) {
    case 409: return ids ? Verdict::kAlreadyThere : Verdict::kRefused;
    case 401:
    case 403:
    case 404: return Verdict::kMisconfigured;  // no right, or no such index and none may be made
    case 408:
    case 429: return Verdict::kRetry;
    default: return status >= 500 ? Verdict::kRetry : Verdict::kRefused;
  }
}

/// {"type":…,"reason":…,"caused_by":{…}}: the sentence nearest to the cause.
std::string reason_of(dom::element item) {
  dom::object error;
  std::string_view type;
  std::string_view reason;
  if (item["error"].get(error) != simdjson::SUCCESS) return {};
  if (error["type"].get(type) != simdjson::SUCCESS) type = "error";
  if (error["reason"].get(reason) != simdjson::SUCCESS) reason = "no reason was given";
  std::string text = fmt::format("{}: {}", type, reason);
  if (error["caused_by"]["reason"].get(reason) == simdjson::SUCCESS) text += fmt::format(": {}", reason);
  return text;
}

Outcome wrong_answer(Outcome outcome, std::string reason) {
  outcome.verdict = Verdict::kMisconfigured;
  outcome.reason = std::move(reason);
  return outcome;
}

}  // namespace

Outcome bulk_outcome(const HttpAnswer& answer, std::size_t count, bool ids) {
  Outcome outcome = http_outcome(answer, 0);
  // The body as a whole is ours: what is wrong with one item is told of that item.
  if (outcome.verdict == Verdict::kBisect) outcome.verdict = Verdict::kMisconfigured;
  if (outcome.verdict != Verdict::kDelivered) return outcome;
  dom::parser parser;
  dom::element document;
  dom::array items;
  if (parser.parse(simdjson::padded_string(answer.body)).get(document) != simdjson::SUCCESS ||
      document["items"].get(items) != simdjson::SUCCESS) {
    return wrong_answer(std::move(outcome), "the answer is not one of Elasticsearch's bulk API");
  }
  for (const dom::element item : items) {
    dom::object operations;
    std::uint64_t status = 0;
    if (item.get(operations) != simdjson::SUCCESS || operations.size() != 1) break;
    const dom::element operation = (*operations.begin()).value;
    if (operation["status"].get(status) != simdjson::SUCCESS) break;
    const Verdict verdict = item_verdict(status, ids);
    outcome.items.push_back(verdict);
    outcome.reasons.emplace_back();
    if (verdict == Verdict::kDelivered || verdict == Verdict::kAlreadyThere) continue;
    outcome.reasons.back() = fmt::format("status {}: {}", status, reason_of(operation));
    outcome.reason = outcome.reasons.back();
  }
  if (outcome.items.size() == count) return outcome;
  const std::size_t told = outcome.items.size();
  outcome.items.clear();
  outcome.reasons.clear();
  return wrong_answer(
      std::move(outcome),
      fmt::format("the answer speaks of {} items, {} were sent: is it a bulk API?", told, count));
}

ElasticVersion read_version(std::string_view body) {
  ElasticVersion version;
  dom::parser parser;
  dom::element document;
  std::string_view text;
  if (parser.parse(simdjson::padded_string(body)).get(document) != simdjson::SUCCESS) return version;
  version.opensearch =
      document["version"]["distribution"].get(text) == simdjson::SUCCESS && text == "opensearch";
  if (document["version"]["number"].get(text) == simdjson::SUCCESS)
    std::from_chars(text.data(), text.data() + text.size(), version.major);
  return version;
}

}  // namespace flowtally::sink
