// This file makes the accessors of the table of keys: from a pointer to a member, the pair of functions that
// takes a Value out of the settings and puts one in.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "config/keys.hpp"

namespace flowtally::config {

/// The words of an enum, in the order of its values.
template <class Enum>
struct Words;
template <>
struct Words<Attach> {
  static constexpr auto kAll = std::to_array<std::string_view>({"auto", "tcx", "clsact"});
};
template <>
struct Words<Sync> {
  static constexpr auto kAll = std::to_array<std::string_view>({"window", "second", "never"});
};
template <>
struct Words<model::LogType> {
  static constexpr auto kAll = std::to_array<std::string_view>({"network", "configuration"});
};
template <>
struct Words<model::ItemFormat> {
  static constexpr auto kAll =
      std::to_array<std::string_view>({"record", "flattened", "ecs", "ocsf", "otel", "cim"});
};
template <>
struct Words<model::Compression> {
  static constexpr auto kAll = std::to_array<std::string_view>({"none", "gzip", "zstd"});
};
template <>
struct Words<model::StartAt> {
  static constexpr auto kAll = std::to_array<std::string_view>({"oldest", "newest"});
};
template <>
struct Words<model::HttpSettings::Body> {
  static constexpr auto kAll = std::to_array<std::string_view>({"ndjson", "array", "concatenated"});
};

/// The place of a word; 0 where it is none of them, which the reader has made sure of.
template <class Range>
[[nodiscard]] std::size_t index_of(std::string_view word, const Range& words) {
  const auto found = std::ranges::find(words, word);
  return found == std::ranges::end(words) ? 0 : static_cast<std::size_t>(found - std::ranges::begin(words));
}

template <class T>
[[nodiscard]] Value value_of(const T& held, const KeyInfo& key) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(Words<T>::kAll[static_cast<std::size_t>(held)]);
  } else if constexpr (std::integral<T> && !std::same_as<T, bool>) {
    if (key.type == ValueType::kWord) return std::string(key.words[static_cast<std::size_t>(held)]);
    return static_cast<std::uint64_t>(held);
  } else if constexpr (std::same_as<T, std::chrono::milliseconds>) {
    return static_cast<std::uint64_t>(held.count());
  } else if constexpr (std::same_as<T, std::vector<model::LogType>>) {
    Texts texts;
    for (const model::LogType type : held) texts.push_back(std::get<std::string>(value_of(type, key)));
    return texts;
  } else if constexpr (std::same_as<T, std::vector<std::uint16_t>>) {
    Texts texts;
    for (const std::uint16_t number : held) texts.push_back(std::to_string(number));
    return texts;
  } else {
    return held;
  }
}

template <class T>
void put_value(T& into, const KeyInfo& key, const Value& value) {
  if constexpr (std::is_enum_v<T>) {
    into = static_cast<T>(index_of(std::get<std::string>(value), Words<T>::kAll));
  } else if constexpr (std::same_as<T, bool>) {
    into = std::get<bool>(value);
  } else if constexpr (std::integral<T>) {
    if (key.type == ValueType::kWord) {
      into = static_cast<T>(index_of(std::get<std::string>(value), key.words));
    } else {
      into = static_cast<T>(std::get<std::uint64_t>(value));
    }
  } else if constexpr (std::same_as<T, std::chrono::milliseconds>) {
    into = std::chrono::milliseconds(std::get<std::uint64_t>(value));
  } else if constexpr (std::same_as<T, std::vector<model::LogType>>) {
    into.clear();
    for (const std::string& word : std::get<Texts>(value))
      into.push_back(static_cast<model::LogType>(index_of(word, Words<model::LogType>::kAll)));
  } else if constexpr (std::same_as<T, std::vector<std::uint16_t>>) {
    into.clear();
    for (const std::string& text : std::get<Texts>(value))
      into.push_back(static_cast<std::uint16_t>(std::stoul(text)));
  } else {
    into = std::get<T>(value);
  }
}

/// A member of a part of Settings: `setting<&Settings::capture, &CaptureSettings::interval>(info)`.
template <auto Part, auto Member>
[[nodiscard]] Key<Settings> setting(KeyInfo info) {
  return {.info = info,
          .get = [](const Settings& settings, const KeyInfo& key) -> std::optional<Value> {
            const auto& member = settings.*Part.*Member;
            if (!member) return std::nullopt;
            return value_of(*member, key);
          },
          .set = [](Settings& settings, const KeyInfo& key,
                    const Value& value) { put_value((settings.*Part.*Member).emplace(), key, value); }};
}

/// A member of every sink, or of a part of it.
template <auto... Path>
[[nodiscard]] Key<model::SinkSettings> of_sink(KeyInfo info) {
  return {.info = info,
          .get = [](const model::SinkSettings& sink, const KeyInfo& key) -> std::optional<Value> {
            return value_of((sink.*....*Path), key);
          },
          .set = [](model::SinkSettings& sink, const KeyInfo& key,
                    const Value& value) { put_value((sink.*....*Path), key, value); }};
}

template <class T>
struct OwnerOf;
template <class Member, class Owner>
struct OwnerOf<Member Owner::*> {
  using Type = Owner;
};

/// A member of what only one kind of sink has.
template <auto Member>
[[nodiscard]] Key<model::SinkSettings> of_kind(KeyInfo info) {
  using Receiver = typename OwnerOf<decltype(Member)>::Type;
  return {
      .info = info,
      .get = [](const model::SinkSettings& sink, const KeyInfo& key) -> std::optional<Value> {
        return value_of(std::get<Receiver>(sink.receiver).*Member, key);
      },
      .set = [](model::SinkSettings& sink, const KeyInfo& key,
                const Value& value) { put_value(std::get<Receiver>(sink.receiver).*Member, key, value); }};
}

}  // namespace flowtally::config
