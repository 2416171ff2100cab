#include "capture/libbpf_log.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>

#include <bpf/libbpf.h>

namespace flowtally::capture {
namespace {

constexpr std::size_t kTextMax = std::size_t{64} * 1024;
constexpr std::size_t kTailMax = 600;

thread_local std::string* collecting = nullptr;

int collect(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG || collecting == nullptr) return 0;
  std::array<char, 4096> line{};
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (length > 0 && collecting->size() < kTextMax) {
    collecting->append(line.data(), std::min(static_cast<std::size_t>(length), line.size() - 1));
  }
  return 0;
}

}  // namespace

LibbpfLog::LibbpfLog() {
  static std::once_flag once;
  std::call_once(once, [] { libbpf_set_print(collect); });
  collecting = &text_;
}

LibbpfLog::~LibbpfLog() { collecting = nullptr; }

std::string LibbpfLog::tail() const {
  std::string tail = text_.size() > kTailMax ? text_.substr(text_.size() - kTailMax) : text_;
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  for (std::size_t at = tail.find('\n'); at != std::string::npos; at = tail.find('\n', at + 2)) {
    tail.replace(at, 1, "; ");
  }
  return tail;
}

}  // namespace flowtally::capture
