#include "config/keys.hpp"

#include <algorithm>

namespace flowtally::config {

std::string_view leaf_of(std::string_view path) noexcept {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

std::string joined(std::string_view path, std::string_view name) {
  if (path.empty()) return std::string(name);
  std::string whole(path);
  whole += '.';
  whole += name;
  return whole;
}

Section section_of(std::span<const KeyInfo* const> keys, std::string_view section) {
  Section found;
  for (std::size_t at = 0; at < keys.size(); ++at) {
    std::string_view rest = keys[at]->path;
    if (!section.empty()) {
      if (!rest.starts_with(section) || rest.size() <= section.size() || rest[section.size()] != '.')
        continue;
      rest.remove_prefix(section.size() + 1);
    }
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos) {
      found.keys.push_back(at);
      continue;
    }
    std::string inner = joined(section, rest.substr(0, dot));
    if (std::ranges::find(found.maps, inner) == found.maps.end()) found.maps.push_back(std::move(inner));
  }
  return found;
}

}  // namespace flowtally::config
