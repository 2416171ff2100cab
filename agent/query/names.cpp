#include "query/names.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace flowtally::query {
namespace {

struct Protocol {
  std::string_view name;
  std::uint8_t number;
};

/// IANA's names, short as tools write them; 255 stands for later fragments in records.
constexpr Protocol kProtocols[] = {
    {"icmp", 1},  {"igmp", 2},   {"ipip", 4},   {"tcp", 6},       {"udp", 17},      {"ipv6", 41},
    {"gre", 47},  {"esp", 50},   {"ah", 51},    {"icmpv6", 58},   {"icmp6", 58},    {"ospf", 89},
    {"pim", 103}, {"vrrp", 112}, {"sctp", 132}, {"udplite", 136}, {"fragment", 255}};

struct Service {
  std::string_view name;
  std::uint16_t port;
};

constexpr Service kServices[] = {{"ftp", 21},
                                 {"ssh", 22},
                                 {"telnet", 23},
                                 {"smtp", 25},
                                 {"dns", 53},
                                 {"domain", 53},
                                 {"tftp", 69},
                                 {"http", 80},
                                 {"kerberos", 88},
                                 {"pop3", 110},
                                 {"ntp", 123},
                                 {"imap", 143},
                                 {"snmp", 161},
                                 {"bgp", 179},
                                 {"ldap", 389},
                                 {"https", 443},
                                 {"smb", 445},
                                 {"submission", 587},
                                 {"syslog", 514},
                                 {"ldaps", 636},
                                 {"dot", 853},
                                 {"imaps", 993},
                                 {"pop3s", 995},
                                 {"mssql", 1433},
                                 {"mqtt", 1883},
                                 {"nfs", 2049},
                                 {"etcd", 2379},
                                 {"mysql", 3306},
                                 {"rdp", 3389},
                                 {"stun", 3478},
                                 {"mdns", 5353},
                                 {"postgres", 5432},
                                 {"postgresql", 5432},
                                 {"amqp", 5672},
                                 {"vnc", 5900},
                                 {"redis", 6379},
                                 {"kubernetes", 6443},
                                 {"http-alt", 8080},
                                 {"kafka", 9092},
                                 {"prometheus", 9090},
                                 {"elasticsearch", 9200},
                                 {"memcached", 11211},
                                 {"mongodb", 27017},
                                 {"tailscale", 41641},
                                 {"wireguard", 51820}};

constexpr std::array<std::string_view, model::kTrafficClasses> kClasses = {"virtual", "subnet", "exit",
                                                                           "physical"};

char lower(char character) noexcept {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
}

/// Changes of one character each that make `right` of `left`.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t changed = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({changed, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::uint8_t> protocol_of(std::string_view text) {
  std::uint8_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size()) return number;
  const std::string name = lower(text);
  for (const Protocol& protocol : kProtocols) {
    if (protocol.name == name) return protocol.number;
  }
  return std::nullopt;
}

std::string protocol_name(std::uint8_t proto) {
  for (const Protocol& protocol : kProtocols) {
    if (protocol.number == proto) return std::string(protocol.name);
  }
  return fmt::format("{}", proto);
}

std::optional<std::uint16_t> service_port(std::string_view name) {
  const std::string small = lower(name);
  for (const Service& service : kServices) {
    if (service.name == small) return service.port;
  }
  return std::nullopt;
}

std::optional<model::TrafficClass> class_of(std::string_view text) {
  const auto found = std::ranges::find(kClasses, lower(text));
  if (found == kClasses.end()) return std::nullopt;
  return static_cast<model::TrafficClass>(found - kClasses.begin());
}

std::string_view class_name(model::TrafficClass traffic_class) noexcept {
  return kClasses[static_cast<std::size_t>(traffic_class)];
}

std::string lower(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(), [](char character) { return lower(character); });
  return small;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> words) {
  const std::string small = lower(word.substr(0, 64));
  std::string_view nearest;
  std::size_t least = small.size() > 3 ? 3 : 2;  // further away it is another word
  for (const std::string_view candidate : words) {
    const std::size_t changes = distance(small, candidate);
    if (changes < least && changes < candidate.size()) {
      least = changes;
      nearest = candidate;
    }
  }
  return nearest.empty() ? std::string() : fmt::format("; did you mean `{}`?", nearest);
}

bool glob_matches(std::string_view pattern, std::string_view text) noexcept {
  // After a '*' the shortest match is tried first, and only the last '*' has to be tried again.
  std::size_t at = 0;
  std::size_t in = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (in < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      retry = in;
    } else if (at < pattern.size() && pattern[at] == lower(text[in])) {
      ++at;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++retry;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

bool name_matches(std::string_view pattern, std::string_view name) noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (pattern.ends_with('.')) pattern.remove_suffix(1);
  return glob_matches(pattern, name) || glob_matches(pattern, name.substr(0, name.find('.')));
}

/// "1M", "64Ki", "1500"; K, M, G, T are powers of 1000, Ki … of 1024.
std::optional<std::uint64_t> amount_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{}) return std::nullopt;
  std::string unit =
      lower(std::string_view(parsed.ptr, static_cast<std::size_t>(text.data() + text.size() - parsed.ptr)));
  if (unit.ends_with('b')) unit.pop_back();  // "1MB", "1MiB"
  const std::uint64_t base = unit.ends_with('i') ? 1024 : 1000;
  if (unit.ends_with('i')) unit.pop_back();
  constexpr std::string_view kUnits = "kmgt";
  if (unit.empty()) return base == 1000 ? std::optional(number) : std::nullopt;
  const std::size_t power = kUnits.find(unit);
  if (unit.size() != 1 || power == std::string_view::npos) return std::nullopt;
  for (std::size_t step = 0; step <= power; ++step) {
    if (number > std::numeric_limits<std::uint64_t>::max() / base) return std::nullopt;
    number *= base;
  }
  return number;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size()) return port;
  return service_port(text);
}

}  // namespace flowtally::query
