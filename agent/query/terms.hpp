// This file says what of a record the journal's filters know: the terms by which a query passes over frames
// that cannot have what it asks for, and what names a record whose index was lost.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "journal/entry.hpp"
#include "model/address.hpp"

namespace flowtally::query {

/// Terms stand in sealed segments: what makes them must never change.
[[nodiscard]] std::uint64_t address_term(const model::Address& address) noexcept;
[[nodiscard]] std::uint64_t port_term(std::uint16_t port) noexcept;
/// Of the block of kTermBits4 or kTermBits6 around an address.
[[nodiscard]] std::uint64_t block_term(const model::Address& address) noexcept;

/// Blocks of these lengths have terms of their own, so that a prefix that is as long or longer can be asked
/// for.
inline constexpr std::uint8_t kTermBits4 = 16;
inline constexpr std::uint8_t kTermBits6 = 48;

/// Gives the terms of a record: both addresses of each connection, their blocks, both ports. A line that is
/// no record has none, and no query finds it.
void terms_of(std::string_view line, const journal::TermSink& sink);

/// Times and key of a record; nothing if it is none. The key is all zeros where it has no accounting.
[[nodiscard]] std::optional<journal::Description> describe(std::string_view line);

}  // namespace flowtally::query
