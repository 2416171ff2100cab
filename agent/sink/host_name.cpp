#include "sink/host_name.hpp"

#include <array>

#include <unistd.h>

namespace flowtally::sink {

std::string host_name() {
  constexpr std::size_t kNameBytes = 256;
  std::array<char, kNameBytes> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace flowtally::sink
