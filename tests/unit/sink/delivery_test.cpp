// Goal: whatever a receiver answers, each item is delivered or refused for good, in order, and nothing else.
#include "sink/delivery.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "unit/sink/fake_receiver.hpp"

namespace flowtally::test {
namespace {

using sink::Outcome;
using sink::Verdict;

struct Rig {
  explicit Rig(FakeReceiver::Answer answer, sink::ReceiverTraits traits = {})
      : receiver(std::move(answer), traits) {}

  bool deliver(const std::vector<std::string>& texts) {
    const sink::Batch batch = batch_of(texts);
    return delivery.deliver(batch, {});
  }
  [[nodiscard]] std::vector<std::string> refused() const {
    std::vector<std::string> texts;
    for (const sink::DeadLetter& letter : delivery.refused()) texts.push_back(letter.text);
    return texts;
  }

  FakeReceiver receiver;
  std::vector<sink::Attempt> attempts{};
  std::vector<std::chrono::milliseconds> pauses{};
  sink::Delivery delivery{receiver, sink::Backoff({}, [] { return 0.5; }),
                          [this](const sink::Attempt& attempt) { attempts.push_back(attempt); },
                          [this](std::chrono::milliseconds time) {
                            pauses.push_back(time);
                            return pauses.size() < 1000;
                          }};
};

const std::vector<std::string> kTexts = {"{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":4}", "{\"a\":5}"};

}  // namespace

TEST_CASE("a batch that is taken is one request", "[unit]") {
  Rig rig([](const auto&) { return Outcome{.verdict = Verdict::kDelivered}; });
  CHECK(rig.deliver(kTexts));
  CHECK(rig.receiver.taken == kTexts);
  CHECK(rig.receiver.sizes == std::vector<std::size_t>{5});
  CHECK(rig.attempts.front().delivered == 5);
}

TEST_CASE("what is not taken now is sent again until it is, with pauses", "[unit]") {
  int tries = 0;
  Rig rig([&tries](const auto&) {
    return Outcome{.verdict = ++tries < 4 ? Verdict::kRetry : Verdict::kDelivered, .reason = "busy"};
  });
  CHECK(rig.deliver(kTexts));
  CHECK(rig.receiver.taken == kTexts);
  CHECK(rig.pauses.size() == 3);
}

TEST_CASE("a misconfigured receiver loses nothing", "[unit]") {
  int tries = 0;
  Rig rig([&tries](const auto&) {
    return Outcome{.verdict = ++tries < 3 ? Verdict::kMisconfigured : Verdict::kDelivered};
  });
  CHECK(rig.deliver(kTexts));
  CHECK(rig.receiver.taken == kTexts);
  CHECK(rig.pauses.front() >= std::chrono::seconds(30));
  CHECK(rig.refused().empty());
}

TEST_CASE("a batch that is too large is halved until it is not; one item that still is, is refused",
          "[unit]") {
  Rig rig([](const auto& texts) {
    const bool fits = texts.size() <= 2 && std::ranges::find(texts, "{\"a\":3}") == texts.end();
    return Outcome{.verdict = fits ? Verdict::kDelivered : Verdict::kTooLarge, .reason = "413"};
  });
  CHECK(rig.deliver(kTexts));
  CHECK(rig.receiver.taken == std::vector<std::string>{"{\"a\":1}", "{\"a\":2}", "{\"a\":4}", "{\"a\":5}"});
  CHECK(rig.refused() == std::vector<std::string>{"{\"a\":3}"});
}

TEST_CASE("of a batch that is refused as a whole the one item that is wrong is found", "[unit]") {
  Rig rig([](const auto& texts) {
    const bool bad = std::ranges::find(texts, "{\"a\":4}") != texts.end();
    return Outcome{.verdict = bad ? Verdict::kBisect : Verdict::kDelivered, .reason = "400"};
  });
  CHECK(rig.deliver(kTexts));
  CHECK(rig.receiver.taken == std::vector<std::string>{"{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":5}"});
  REQUIRE(rig.refused() == std::vector<std::string>{"{\"a\":4}"});
  CHECK(rig.delivery.refused().front().reason == "400");
  CHECK(rig.delivery.refused().front().item.sequence == 4);
}

TEST_CASE("only the items that were not taken are sent again", "[unit]") {
  int tries = 0;
  Rig rig([&tries](const auto& texts) {
    Outcome outcome{.verdict = Verdict::kDelivered};
    if (++tries > 1) return outcome;
    outcome.items = {Verdict::kDelivered, Verdict::kRetry, Verdict::kAlreadyThere, Verdict::kRefused,
                     Verdict::kRetry};
    outcome.reasons.assign(texts.size(), "no");
    return outcome;
  });
  CHECK(rig.deliver(kTexts));
  CHECK(rig.receiver.taken == std::vector<std::string>{"{\"a\":1}", "{\"a\":2}", "{\"a\":5}"});
  CHECK(rig.refused() == std::vector<std::string>{"{\"a\":4}"});
  CHECK(rig.receiver.sizes == std::vector<std::size_t>{5, 1, 1});
  CHECK(rig.attempts.front().repeated == 1);
}

TEST_CASE("an item that is larger than anything the receiver takes is refused without a try", "[unit]") {
  Rig rig([](const auto&) { return Outcome{.verdict = Verdict::kDelivered}; }, {.item_bytes_max = 8});
  CHECK(rig.deliver({"{\"a\":1}", "{\"a\":\"long\"}", "{\"a\":2}"}));
  CHECK(rig.receiver.taken == std::vector<std::string>{"{\"a\":1}", "{\"a\":2}"});
  CHECK(rig.refused() == std::vector<std::string>{"{\"a\":\"long\"}"});
}

TEST_CASE("a stop leaves what is not delivered for the next time", "[unit]") {
  Rig rig([](const auto&) { return Outcome{.verdict = Verdict::kStopped}; });
  CHECK_FALSE(rig.deliver(kTexts));
  CHECK(rig.refused().empty());
}

TEST_CASE("whatever a receiver answers, each item is taken once or refused", "[unit]") {
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same each time
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> texts;
    for (unsigned item = 0; item < 1 + random() % 40; ++item)
      texts.push_back("{\"n\":" + std::to_string(item) + "}");
    Rig rig([&random](const auto& sent) {
      Outcome outcome{.verdict = static_cast<Verdict>(random() % 7)};
      if (random() % 2 == 0) return outcome;
      constexpr Verdict kOfItems[] = {Verdict::kDelivered, Verdict::kRetry, Verdict::kMisconfigured,
                                      Verdict::kRefused};
      for (std::size_t at = 0; at < sent.size(); ++at) outcome.items.push_back(kOfItems[random() % 4]);
      return outcome;
    });
    REQUIRE(rig.deliver(texts));
    std::uint64_t delivered = 0;
    for (const sink::Attempt& attempt : rig.attempts) delivered += attempt.delivered;
    CHECK(delivered + rig.delivery.refused().size() == texts.size());
    std::vector<std::string> seen = rig.receiver.taken;
    std::ranges::sort(seen);
    CHECK(std::ranges::adjacent_find(seen) == seen.end());
  }
}

}  // namespace flowtally::test
