#include "channel/bytes.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

namespace flowtally::channel {
namespace {

constexpr std::size_t kGathered = std::size_t{16} << 10U;

}  // namespace

void Writer::text(std::string_view text) {
  text = text.substr(0, kTextBytesMax);
  value(static_cast<std::uint32_t>(text.size()));
  write(std::as_bytes(std::span(text)));
}

bool Reader::flag(bool& into) {
  std::uint8_t byte = 0;
  if (!value(byte) || byte > 1) return false;
  into = byte == 1;
  return true;
}

bool Reader::text(std::string& into, std::uint32_t bytes_max) {
  std::uint32_t size = 0;
  if (!value(size) || size > std::min(bytes_max, kTextBytesMax)) return false;
  into.resize(size);
  return read(std::as_writable_bytes(std::span(into))) && into.find('\0') == std::string::npos;
}

void SocketWriter::write(std::span<const std::byte> bytes) {
  if (waiting_.size() + bytes.size() > kGathered) {
    send(waiting_);
    waiting_.clear();
  }
  if (bytes.size() > kGathered) {
    send(bytes);
  } else {
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
  }
}

void SocketWriter::send(std::span<const std::byte> bytes) {
  while (!failed_ && !bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    failed_ = sent < 0;
    if (!failed_) bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

bool SocketWriter::flush() {
  send(waiting_);
  waiting_.clear();
  return !failed_;
}

bool SocketReader::read(std::span<std::byte> into) {
  while (!into.empty()) {
    if (begin_ < end_) {
      const std::size_t count = std::min(into.size(), end_ - begin_);
      std::ranges::copy(std::span(ahead_).subspan(begin_, count), into.begin());
      begin_ += count;
      into = into.subspan(count);
      continue;
    }
    const bool large = into.size() >= ahead_.size();
    const std::span<std::byte> room = large ? into : std::span<std::byte>(ahead_);
    const ssize_t count = ::recv(fd_, room.data(), room.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    if (large) {
      into = into.subspan(static_cast<std::size_t>(count));
    } else {
      begin_ = 0;
      end_ = static_cast<std::size_t>(count);
    }
  }
  return true;
}

bool MemoryReader::read(std::span<std::byte> into) {
  if (into.size() > bytes_.size()) return false;
  std::ranges::copy(bytes_.first(into.size()), into.begin());
  bytes_ = bytes_.subspan(into.size());
  return true;
}

}  // namespace flowtally::channel
