#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "demo/sockets.hpp"
#include "demo/traffic.hpp"

namespace flowtally::demo {
namespace {

constexpr std::uint16_t kBulkPort = 5201;
constexpr std::uint16_t kHttpPort = 80;
constexpr std::size_t kHttpBodyMax = 32768;
constexpr std::size_t kHttpHeaderMax = 4096;
constexpr std::size_t kBlockBytes = 65536;

base::Error wrong(std::string what) { return {base::ErrorCode::kCorrupt, std::move(what)}; }

/// A stream of bytes that never repeats (xorshift64), so that a lost or doubled piece shows. Either end makes
/// its own.
class Pattern {
 public:
  /// The next bytes of the stream, at most `bytes_max` and at least one; they stay next until taken.
  [[nodiscard]] std::span<const std::uint8_t> next(std::uint64_t bytes_max) {
    if (at_ == block_.size()) refill();
    return std::span(block_).subspan(at_, std::min<std::uint64_t>(block_.size() - at_, bytes_max));
  }
  void take(std::size_t bytes) { at_ += bytes; }

 private:
  void refill() {
    for (std::size_t at = 0; at < block_.size(); at += sizeof(state_)) {
      state_ ^= state_ << 13U;
      state_ ^= state_ >> 7U;
      state_ ^= state_ << 17U;
      std::memcpy(block_.data() + at, &state_, sizeof(state_));
    }
    at_ = 0;
  }
  std::vector<std::uint8_t> block_ = std::vector<std::uint8_t>(kBlockBytes);
  std::size_t at_ = kBlockBytes;
  std::uint64_t state_ = 0x2545f4914f6cdd1dU;
};

/// True if the errno only says that the socket must be waited for.
bool would_block() { return errno == EAGAIN || errno == EINTR; }

/// The two ends of a bulk transfer, moved on by turns.
class BulkTransfer {
 public:
  BulkTransfer(TcpPair pair, std::uint64_t bytes) : pair_(std::move(pair)), left_(bytes) {}

  base::Status run(const Patience& patience) {
    while (!ended_) {
      if (auto patient = patience.check(); !patient) return patient;
      const auto sent = push();
      if (!sent) return base::fail(sent.error());
      const auto received = pull();
      if (!received) return base::fail(received.error());
      if (*sent || *received) continue;
      std::array<pollfd, 2> waits{
          {{.fd = pair_.server.get(), .events = POLLIN, .revents = 0},
           {.fd = left_ > 0 ? pair_.client.get() : -1, .events = POLLOUT, .revents = 0}}};
      if (auto ready = patience.wait(std::span(waits)); !ready) return ready;
    }
    return close_both(patience);
  }
  [[nodiscard]] bool intact() const { return intact_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }

 private:
  /// True if anything moved.
  base::Result<bool> push() {
    if (left_ == 0) return false;
    const std::span<const std::uint8_t> next = to_send_.next(left_);
    const ssize_t sent = ::send(pair_.client.get(), next.data(), next.size(), MSG_NOSIGNAL);
    if (sent < 0 && would_block()) return false;
    if (sent < 0) return base::fail(base::Error::from_errno(errno, "sending"));
    to_send_.take(static_cast<std::size_t>(sent));
    left_ -= static_cast<std::uint64_t>(sent);
    if (left_ == 0) ::shutdown(pair_.client.get(), SHUT_WR);
    return true;
  }
  base::Result<bool> pull() {
    const ssize_t received = ::recv(pair_.server.get(), into_.data(), into_.size(), 0);
    if (received < 0 && would_block()) return false;
    if (received < 0) return base::fail(base::Error::from_errno(errno, "receiving"));
    ended_ = received == 0;
    compare(std::span(into_).first(static_cast<std::size_t>(received)));
    return true;
  }
  void compare(std::span<const std::uint8_t> part) {
    received_ += part.size();
    while (!part.empty()) {
      const std::span<const std::uint8_t> next = expected_.next(part.size());
      intact_ = intact_ && std::memcmp(next.data(), part.data(), next.size()) == 0;
      expected_.take(next.size());
      part = part.subspan(next.size());
    }
  }
  /// The server's end comes back to the client, so that nothing of the connection is still to be sent.
  base::Status close_both(const Patience& patience) {
    pair_.server.reset();
    const auto end = receive_some(pair_.client.get(), into_, patience);
    if (!end) return base::fail(end.error());
    if (*end != 0) return base::fail(wrong("the server sent something"));
    return {};
  }

  TcpPair pair_;
  std::uint64_t left_;
  Pattern to_send_;
  Pattern expected_;
  std::vector<std::uint8_t> into_ = std::vector<std::uint8_t>(4 * kBlockBytes);
  bool intact_ = true;
  std::uint64_t received_ = 0;
  bool ended_ = false;
};

/// Reads until `marker` or the end of the stream.
base::Result<std::string> read_message(int fd, std::string_view marker, std::size_t bytes_max,
                                       const Patience& patience) {
  std::string message;
  std::array<std::uint8_t, 4096> part{};
  for (;;) {
    if (!marker.empty() && message.find(marker) != std::string::npos) return message;
    const auto received = receive_some(fd, part, patience);
    if (!received) return base::fail(received.error());
    if (*received == 0) return message;
    message.append(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(*received));
    if (message.size() > bytes_max) return base::fail(wrong("the message is too long"));
  }
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// One request and its answer; gives the answer's body. The connection is closed at both ends afterwards.
base::Result<std::string> exchange(TcpPair pair, const std::string& request, const std::string& body,
                                   const Patience& patience) {
  if (auto sent = send_all(pair.client.get(), bytes_of(request), patience); !sent) {
    return base::fail(std::move(sent.error()).during("the request"));
  }
  auto seen = read_message(pair.server.get(), "\r\n\r\n", kHttpHeaderMax, patience);
  if (!seen) return base::fail(std::move(seen.error()).during("the request"));
  const bool get = seen->starts_with("GET / HTTP/1.1\r\n");
  const std::string answer = fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      get ? "200 OK" : "400 Bad Request", body.size(), body);
  if (auto sent = send_all(pair.server.get(), bytes_of(answer), patience); !sent) {
    return base::fail(std::move(sent.error()).during("the answer"));
  }
  pair.server.reset();
  auto got = read_message(pair.client.get(), "", kHttpHeaderMax + kHttpBodyMax, patience);
  if (!got) return base::fail(std::move(got.error()).during("the answer"));
  const std::size_t header_end = got->find("\r\n\r\n");
  if (!got->starts_with("HTTP/1.1 200 ") || header_end == std::string::npos) {
    return base::fail(wrong("the answer is not a 200"));
  }
  return got->substr(header_end + 4);
}

}  // namespace

base::Result<TrafficReport> tcp_bulk(const Path& path, std::uint64_t bytes, const TrafficLimits& limits) {
  const auto failed = [](base::Error error) { return base::fail(std::move(error).during("TCP bulk")); };
  const Patience patience(limits.deadline, limits.stop);
  const model::Endpoint server{.address = path.to, .port = kBulkPort};
  auto listener = listen_on(path.to_space, server);
  if (!listener) return failed(std::move(listener.error()));
  auto pair = connect_pair(path.from_space, listener->get(), server, patience);
  if (!pair) return failed(std::move(pair.error()));

  BulkTransfer transfer(std::move(*pair), bytes);
  if (auto done = transfer.run(patience); !done) return failed(std::move(done.error()));
  if (transfer.received() != bytes || !transfer.intact()) {
    return failed(
        wrong(fmt::format("{} of {} bytes arrived, or not the same ones", transfer.received(), bytes)));
  }
  return TrafficReport{.what = "TCP bulk",
                       .family = path.to.family,
                       .sent = 1,
                       .bytes_sent = bytes,
                       .bytes_received = transfer.received()};
}

base::Result<TrafficReport> http_get(const Path& path, std::size_t count, std::size_t body_bytes,
                                     const TrafficLimits& limits) {
  const auto failed = [](base::Error error) { return base::fail(std::move(error).during("HTTP")); };
  const Patience patience(limits.deadline, limits.stop);
  const model::Endpoint server{.address = path.to, .port = kHttpPort};
  auto listener = listen_on(path.to_space, server);
  if (!listener) return failed(std::move(listener.error()));

  const std::string request = "GET / HTTP/1.1\r\nHost: demo.example\r\nConnection: close\r\n\r\n";
  const std::string body(std::min(body_bytes, kHttpBodyMax), 'x');
  TrafficReport report{.what = "HTTP GET", .family = path.to.family};
  for (std::size_t index = 0; index < count; index++) {
    auto pair = connect_pair(path.from_space, listener->get(), server, patience);
    if (!pair) return failed(std::move(pair.error()));
    const auto got = exchange(std::move(*pair), request, body, patience);
    if (!got) return failed(got.error());
    if (*got != body) return failed(wrong("the answer has another body"));
    report.sent++;
    report.answered++;
    report.bytes_sent += request.size();
    report.bytes_received += got->size();
  }
  return report;
}

}  // namespace flowtally::demo
