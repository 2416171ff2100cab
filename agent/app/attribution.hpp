// This file decides by which state of the tailnet a window is classified, and tells the log what becomes of
// that knowledge.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "identity/identity.hpp"
#include "model/classified_window.hpp"
#include "model/window.hpp"

namespace flowtally::app {

/// How long the writing of a window may wait for a fresh answer about an address that nobody knows. The
/// kernel counts on meanwhile. Longer than the gap between two reads: one that was just made for another
/// reason does not make the window miss its own.
inline constexpr std::chrono::milliseconds kIdentityWait{1'200};

/// After an answer that did not help, so long nothing is asked for the sake of unknown addresses: some stay
/// unknown for ever, such as the endpoint of a peer relay. Doubled each time; changes are told and seen all
/// the same.
inline constexpr std::int64_t kAskPauseMinNs = std::int64_t{2} * 1'000'000'000;
inline constexpr std::int64_t kAskPauseMaxNs = std::int64_t{160} * 1'000'000'000;

struct AttributionOptions {
  std::string node_id{};           ///< of the records, whatever anybody says; empty: what identity says
  std::string node_id_fallback{};  ///< while nobody says
  bool log_exit_flows =
      false;  ///< exit traffic as it is; else anonymised unless the tailnet's policy says so
};

/// By what the underlay's programs know tailscaled's sockets.
struct TailscaledSockets {
  std::vector<std::uint16_t> udp_ports;
  bool marked = true;

  friend bool operator==(const TailscaledSockets&, const TailscaledSockets&) = default;
};

/// Not thread-safe.
class Attribution {
 public:
  Attribution(std::shared_ptr<identity::IdentitySource> source, AttributionOptions options,
              spdlog::logger& logger);

  /// Readable when tell_events() has something to say; -1 where that never is.
  [[nodiscard]] int event_fd() const { return source_->event_fd(); }
  void tell_events();

  /// The window in classes, by the newest state that is known. Where it has an address or an endpoint that is
  /// nobody's, asks anew first and waits for that, `patience` at most, while tailscaled answers and answers
  /// help. Zero: does not ask.
  [[nodiscard]] model::ClassifiedWindow attribute(const model::Window& window,
                                                  std::chrono::milliseconds patience);

  /// The window in classes, by the newest state that is known. Asks nobody.
  [[nodiscard]] model::ClassifiedWindow classify(const model::Window& window) const;

  /// `nodeId` of the records of a window.
  [[nodiscard]] const std::string& node_id(const model::ClassifiedWindow& window) const;

  /// What is known of the sockets now, if that is something else than at the last call.
  [[nodiscard]] std::optional<TailscaledSockets> changed_sockets();

  /// For the last line of a run; empty where there is nothing to say.
  [[nodiscard]] std::string summary_text() const;

 private:
  [[nodiscard]] bool worth_asking(std::int64_t now_ns) const;

  std::shared_ptr<identity::IdentitySource> source_;  ///< the API asks it too
  AttributionOptions options_;
  spdlog::logger& logger_;
  std::shared_ptr<const model::NodeMap> nodes_of_sockets_;  ///< from which `sockets_` is
  TailscaledSockets sockets_;
  std::uint64_t windows_asked_ = 0;  ///< windows for which was asked anew
  std::int64_t ask_pause_ns_ = 0;    ///< 0: the last answer helped
  std::int64_t ask_after_ns_ = 0;    ///< boot clock
};

}  // namespace flowtally::app
