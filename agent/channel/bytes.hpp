// This file moves plain values as bytes between two processes of one binary, so their layout is the same at
// both ends: no byte order, no versions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace flowtally::channel {

/// Most entries of a list, which is more than a generation can have.
inline constexpr std::uint64_t kListMax = std::uint64_t{1} << 26U;
/// Most bytes of a text.
inline constexpr std::uint32_t kTextBytesMax = 64U << 10U;

/// Where values go. What cannot be written is remembered, and everything after it does nothing.
class Writer {
 public:
  Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  virtual ~Writer() = default;

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void value(const T& value) {
    write(std::as_bytes(std::span(&value, 1)));
  }
  /// Cut at kTextBytesMax.
  void text(std::string_view text);
  template <class T>
    requires std::is_trivially_copyable_v<T>
  void list(const std::vector<T>& list) {
    value(static_cast<std::uint64_t>(list.size()));
    write(std::as_bytes(std::span(list)));
  }

 protected:
  virtual void write(std::span<const std::byte> bytes) = 0;
};

/// Where values come from. After a failure all of them are nothing.
class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  /// Not for types that cannot have every value, such as bool or an enum of an untrusted writer.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] bool value(T& into) {
    return read(std::as_writable_bytes(std::span(&into, 1)));
  }
  /// 0 or 1.
  [[nodiscard]] bool flag(bool& into);
  /// At most `bytes_max` bytes, none of them zero.
  [[nodiscard]] bool text(std::string& into, std::uint32_t bytes_max = kTextBytesMax);
  /// From a trusted writer: the size is believed up to kListMax.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] bool list(std::vector<T>& into) {
    std::uint64_t size = 0;
    if (!value(size) || size > kListMax) return false;
    into.resize(size);
    return read(std::as_writable_bytes(std::span(into)));
  }

 protected:
  /// All of them or false.
  [[nodiscard]] virtual bool read(std::span<std::byte> into) = 0;
};

/// A connected stream socket, which must outlive it; small values are gathered until flush().
class SocketWriter final : public Writer {
 public:
  explicit SocketWriter(int fd) noexcept : fd_(fd) {}
  /// False: not everything could be sent; errno says why.
  [[nodiscard]] bool flush();

 private:
  void write(std::span<const std::byte> bytes) override;
  void send(std::span<const std::byte> bytes);

  int fd_;
  bool failed_ = false;
  std::vector<std::byte> waiting_;
};

class SocketReader final : public Reader {
 public:
  explicit SocketReader(int fd) noexcept : fd_(fd) {}

 private:
  [[nodiscard]] bool read(std::span<std::byte> into) override;

  int fd_;
  std::array<std::byte, 4096> ahead_{};
  std::size_t begin_ = 0;  ///< of what was read ahead
  std::size_t end_ = 0;
};

/// Of bytes that are there, for tests.
class MemoryReader final : public Reader {
 public:
  explicit MemoryReader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] std::size_t left() const noexcept { return bytes_.size(); }

 private:
  [[nodiscard]] bool read(std::span<std::byte> into) override;

  std::span<const std::byte> bytes_;
};

class MemoryWriter final : public Writer {
 public:
  [[nodiscard]] const std::vector<std::byte>& bytes() const noexcept { return bytes_; }

 private:
  void write(std::span<const std::byte> bytes) override {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  std::vector<std::byte> bytes_;
};

}  // namespace flowtally::channel
