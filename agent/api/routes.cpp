#include "api/routes.hpp"

#include <array>
#include <charconv>
#include <span>
#include <string>

#include <fmt/format.h>

#include "api/follow_body.hpp"
#include "api/log_body.hpp"
#include "api/metrics.hpp"
#include "api/query_route.hpp"
#include "api/status_text.hpp"
#include "api/stream_routes.hpp"
#include "api/tailnet_text.hpp"
#include "api/time_range.hpp"
#include "base/clock.hpp"
#include "record/window_writer.hpp"

namespace flowtally::api {
namespace {

Answer json_answer(std::string text) {
  Answer answer;
  answer.text = std::move(text);
  return answer;
}

Answer streamed(std::unique_ptr<Body> body) {
  Answer answer;
  answer.body = std::move(body);
  return answer;
}

Answer busy(Service& service, std::string_view what) {
  service.counts.refused(Refusal::kBusy);
  return busy_answer(fmt::format("{} are being answered already; try again", what));
}

auto count_missing(Service& service) {
  return [&service](std::uint64_t records) { service.counts.records_missing += records; };
}

// ---- Tailscale's paths

Answer list(Service& service, const Request& request, LogType type, std::string_view begin) {
  const auto range = parse_range(request.target.parameters);
  if (!range) return error_answer(range.error());
  if (request.head()) return streamed(nullptr);
  Slot slot = service.log_readers.take(service.limits.slot_wait);
  if (!slot) return busy(service, fmt::format("{} listings of logs", service.limits.log_readers));
  auto body = list_logs({.directory = service.source.journal_directory(type),
                         .range = *range,
                         .begin = begin,
                         .abandoned = request.abandoned,
                         .missing = count_missing(service),
                         .slot = std::move(slot)});
  if (!body) return error_answer(body.error());
  return streamed(std::move(*body));
}

Answer network_logs(Service& service, const Request& request) {
  // Tailscale's Go client reads token by token and refuses any other key.
  return list(service, request, LogType::kNetwork, "{\"logs\":[");
}

Answer configuration_logs(Service& service, const Request& request) {
  return list(service, request, LogType::kConfiguration,
              "{\"version\":\"1.1\",\"tailnetId\":\"-\",\"logs\":[");
}

Answer devices(Service& service, const Request&) {
  return streamed(device_list(service.source.tailnet(), base::now().wall_ns));
}

// ---- ours

Answer status(Service& service, const Request&) { return json_answer(status_json(service.source.status())); }

Answer peers(Service& service, const Request&) { return streamed(peer_list(service.source.tailnet())); }

Answer live_window(Service& service) {
  auto live = service.source.live();
  if (!live) return error_answer(live.error());
  std::string text = "{\"logs\":[";
  const std::size_t empty = text.size();
  record::write_window(live->window, {.node_id = live->node_id, .boot_id = live->boot_id}, {},
                       [&](std::string_view line) {
                         if (text.size() != empty) text += ",\n";
                         text += line.substr(0, line.find('\n'));
                       });
  return json_answer(std::move(text) + "]}\n");
}

Answer follow(Service& service, const Request& request) {
  Following following{.directory = service.source.journal_directory(LogType::kNetwork),
                      .keep_alive = service.limits.keep_alive,
                      .abandoned = request.abandoned,
                      .missing = count_missing(service)};
  if (following.directory.empty()) return error_answer(404, "there is no journal to follow");
  if (const std::string& id = request.last_event_id; !id.empty()) {
    journal::Sequence after = 0;
    const auto parsed = std::from_chars(id.data(), id.data() + id.size(), after);
    if (parsed.ec != std::errc() || parsed.ptr != id.data() + id.size() || after + 1 == 0) {
      return error_answer(400, "Last-Event-ID is no number of a record");
    }
    following.after = after;
  }
  Answer answer;
  answer.content_type = "text/event-stream";
  answer.headers.emplace_back("Cache-Control", "no-store");
  if (request.head()) return answer;
  following.slot = service.followers.take(std::chrono::milliseconds(0));
  if (!following.slot) return busy(service, fmt::format("{} followers", service.limits.followers));
  auto body = follow_records(std::move(following));
  if (!body) return error_answer(body.error());
  answer.body = std::move(*body);
  return answer;
}

Answer live(Service& service, const Request& request) {
  const auto wanted = request.target.parameters.find("follow");
  if (accepts(request.accept, "text/event-stream") || (wanted && *wanted != "0"))
    return follow(service, request);
  return live_window(service);
}

Answer metrics(Service& service, const Request&) {
  Answer answer = json_answer(metrics_text(service.source.status(), service.counts));
  answer.content_type = kMetricsType;
  return answer;
}

Answer healthz(Service& service, const Request&) { return health(service.source.status()); }
Answer readyz(Service& service, const Request&) { return readiness(service.source.status()); }

// ---- which is which

struct Route {
  /// Parts of the path; "*" is any.
  std::array<std::string_view, 8> path;
  Answer (*answer)(Service&, const Request&);
  std::string_view methods = "GET, HEAD";
};

constexpr Route kRoutes[] = {
    {{"api", "v2", "tailnet", "*", "logging", "network"}, network_logs},
    {{"api", "v2", "tailnet", "*", "logging", "configuration"}, configuration_logs},
    {{"api", "v2", "tailnet", "*", "logging", "*", "stream"}, log_stream, "DELETE, GET, HEAD, PUT"},
    {{"api", "v2", "tailnet", "*", "logging", "*", "stream", "status"}, log_stream_status},
    {{"api", "v2", "tailnet", "*", "devices"}, devices},
    {{"api", "v1", "status"}, status},
    {{"api", "v1", "peers"}, peers},
    {{"api", "v1", "query"}, answer_query},
    {{"api", "v1", "flows", "live"}, live},
    {{"api", "v1", "streams"}, list_streams},
    {{"api", "v1", "streams", "*"}, change_stream, "DELETE, PUT"},
    {{"api", "v1", "streams", "*", "test"}, test_stream, "POST"},
    {{"api", "v1", "streams", "*", "replay"}, replay_stream, "POST"},
    {{"api", "v1", "configuration"}, show_configuration},
    {{"api", "v1", "reload"}, reload_configuration, "POST"},
    {{"metrics"}, metrics},
    {{"healthz"}, healthz},
    {{"readyz"}, readyz},
};

bool matches(const Route& route, std::span<const std::string> path) noexcept {
  for (std::size_t at = 0; at < route.path.size(); ++at) {
    const std::string_view wanted = route.path[at];
    if (wanted.empty()) return at == path.size();
    if (at == path.size()) return false;
    if (wanted == "*" ? path[at].empty() : wanted != path[at]) return false;
  }
  return path.size() == route.path.size();
}

/// Methods are words with ", " between.
bool lists(std::string_view methods, std::string_view method) noexcept {
  for (;;) {
    const std::size_t end = methods.find(", ");
    if (methods.substr(0, end) == method) return true;
    if (end == std::string_view::npos) return false;
    methods.remove_prefix(end + 2);
  }
}

bool brings_body(std::string_view method) noexcept { return method == "PUT" || method == "POST"; }

}  // namespace

bool takes_body(const Request& request) noexcept {
  if (!brings_body(request.method)) return false;
  for (const Route& route : kRoutes) {
    if (matches(route, request.target.path)) return lists(route.methods, request.method);
  }
  return false;
}

Answer answer_request(Service& service, const Request& request) {
  for (const Route& route : kRoutes) {
    if (!matches(route, request.target.path)) continue;
    if (!lists(route.methods, request.method)) {
      Answer answer = error_answer(405, fmt::format("this path takes {} only", route.methods));
      answer.headers.emplace_back("Allow", std::string(route.methods));
      return answer;
    }
    if (request.has_body && !brings_body(request.method)) {
      return error_answer(413, "this path takes no body in a request");
    }
    return route.answer(service, request);
  }
  return error_answer(404, "there is no such path; docs/formats/api.md has those that there are");
}

}  // namespace flowtally::api
