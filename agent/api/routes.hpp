// This file is what the API answers: request in, answer out, no socket in sight.
#pragma once

#include <string_view>

#include "api/answer.hpp"
#include "api/control.hpp"
#include "api/counts.hpp"
#include "api/limits.hpp"
#include "api/request.hpp"
#include "api/slots.hpp"
#include "api/source.hpp"

namespace flowtally::api {

/// What all requests share. Outlives them and their answers' bodies.
struct Service {
  /// `changes` null: nothing can be changed.
  Service(Source& asked, const Limits& wanted, Control* changes = nullptr)
      : source(asked),
        control(changes),
        limits(wanted),
        log_readers(wanted.log_readers),
        queries(wanted.queries),
        followers(wanted.followers) {}

  /// Nobody gets a place any more.
  void close() noexcept {
    log_readers.close();
    queries.close();
    followers.close();
  }

  Source& source;
  Control* const control;
  const Limits limits;
  Slots log_readers;
  Slots queries;
  Slots followers;
  Counts counts{};
};

/// Whether the request's path and method are such that a body belongs to it, of kBodyBytesMax at the most.
[[nodiscard]] bool takes_body(const Request& request) noexcept;

/// Any thread. May wait for a place among the readers, for as long as the limits say.
[[nodiscard]] Answer answer_request(Service& service, const Request& request);

}  // namespace flowtally::api
