#include "api/stream_routes.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "api/json_text.hpp"
#include "base/clock.hpp"
#include "model/sink_settings.hpp"

namespace flowtally::api {
namespace {

/// Of "/api/v2/tailnet/-/logging/network/stream", and of "/api/v1/streams/NAME".
constexpr std::size_t kLogTypePart = 5;
constexpr std::size_t kNamePart = 3;

constexpr std::array<std::string_view, 5> kStates = {"idle", "sending", "retrying", "misconfigured",
                                                     "stopped"};

Answer no_control() {
  return error_answer(501, "this agent keeps no journal, so nothing is streamed and nothing can be changed");
}

Answer done() {
  Answer answer;
  answer.text = "{}\n";
  return answer;
}

std::optional<LogType> log_type_of(const Request& request) {
  const std::string& name = request.target.path[kLogTypePart];
  if (name == model::log_type_name(LogType::kNetwork)) return LogType::kNetwork;
  if (name == model::log_type_name(LogType::kConfiguration)) return LogType::kConfiguration;
  return std::nullopt;
}

Answer unknown_type(const Request& request) {
  return error_answer(404, fmt::format("there are no {} logs, but network and configuration logs",
                                       request.target.path[kLogTypePart]));
}

Answer no_stream(LogType type) {
  return error_answer(404, fmt::format("no log stream is configured for {}", model::log_type_name(type)));
}

/// Nothing where the caller may change things.
std::optional<Answer> refuse(Control& control, const Request& request, std::string_view what) {
  if (control.may_change(request.caller)) return std::nullopt;
  control.refused(request.caller, what);
  return error_answer(403,
                      fmt::format("you may not {}: that takes root or the admin group of flowtally", what));
}

Answer answer_of(const base::Status& status) { return status ? done() : error_answer(status.error()); }

/// As Tailscale's LogstreamEndpointPublishingStatus. It has no field for what we know beyond.
std::string publishing_status(const model::SinkStatus& sink) {
  JsonText json;
  json.begin();
  json.time("lastActivity", sink.delivered_at ? sink.delivered_at->wall_ns : 0);
  json.text("lastError", sink.failing_since ? sink.failure : std::string());
  json.number("maxBodySize", sink.body_bytes_max);
  json.number("numBytesSent", sink.bytes).number("numEntriesSent", sink.items).number("numSpoofedEntries", 0);
  json.number("numTotalRequests", sink.requests).number("numFailedRequests", sink.retries);
  json.decimal("rateBytesSent", sink.bytes_per_second).decimal("rateEntriesSent", sink.items_per_second);
  json.decimal("rateTotalRequests", sink.requests_per_second);
  json.decimal("rateFailedRequests", sink.retries_per_second);
  return json.end().take() + '\n';
}

}  // namespace

std::string sink_json(const model::SinkStatus& status) {
  JsonText json;
  json.begin().text("name", status.sink).text("type", status.kind);
  json.text("logType", model::log_type_name(status.log_type));
  json.text("state", kStates[static_cast<std::size_t>(status.state)]);
  json.number("next", status.next).number("behindRecords", status.behind_records);
  json.number("records", status.records).number("items", status.items);
  json.number("bytes", status.bytes).number("bytesSent", status.bytes_sent);
  json.number("requests", status.requests).number("retries", status.retries);
  json.number("refusedItems", status.refused_items).number("repeatedItems", status.repeated_items);
  json.number("unreadableRecords", status.unreadable_records).number("filteredItems", status.filtered_items);
  json.number("lostRecords", status.lost_records);
  if (status.delivered_at) json.time("deliveredAt", status.delivered_at->wall_ns);
  if (status.delivered_end_ns) json.time("deliveredEnd", *status.delivered_end_ns);
  if (status.failing_since) json.time("failingSince", status.failing_since->wall_ns);
  if (!status.failure.empty()) json.text("failure", status.failure);
  return json.end().take();
}

Answer log_stream(Service& service, const Request& request) {
  const auto type = log_type_of(request);
  if (!type) return unknown_type(request);
  if (service.control == nullptr) return request.method == "PUT" ? no_control() : no_stream(*type);
  Control& control = *service.control;
  if (request.method == "GET" || request.head()) {
    const auto stream = control.stream(*type);
    if (!stream) return no_stream(*type);
    Answer answer;
    answer.text = stream->json(LogStream::Secrets::kLeftOut, model::log_type_name(*type)) + '\n';
    return answer;
  }
  if (auto no = refuse(control, request, "change log streams")) return std::move(*no);
  if (request.method == "DELETE") {
    if (!control.stream(*type)) return no_stream(*type);
    return answer_of(control.delete_stream(*type, request.caller));
  }
  auto stream = LogStream::parse(request.body);
  if (!stream) {
    control.refused(request.caller, stream.error().text());
    return error_answer(stream.error());
  }
  return answer_of(control.put_stream(*type, std::move(*stream), request.caller));
}

Answer log_stream_status(Service& service, const Request& request) {
  const auto type = log_type_of(request);
  if (!type) return unknown_type(request);
  if (service.control == nullptr || !service.control->stream(*type)) return no_stream(*type);
  const std::string name = api_stream_name(*type);
  Answer answer;
  answer.text = publishing_status({});
  for (const model::SinkStatus& sink : service.control->sinks()) {
    if (sink.sink == name && sink.log_type == *type) answer.text = publishing_status(sink);
  }
  return answer;
}

Answer list_streams(Service& service, const Request&) {
  JsonText json;
  json.begin().begin_list("streams");
  if (service.control != nullptr) {
    for (const model::SinkStatus& sink : service.control->sinks()) json.raw_element(sink_json(sink));
  }
  json.end_list().end();
  Answer answer;
  answer.text = json.take() + '\n';
  return answer;
}

Answer change_stream(Service& service, const Request& request) {
  if (service.control == nullptr) return no_control();
  Control& control = *service.control;
  if (auto no = refuse(control, request, "change streams")) return std::move(*no);
  const std::string& name = request.target.path[kNamePart];
  if (request.method == "DELETE") return answer_of(control.delete_sink(name, request.caller));
  return answer_of(control.put_sink(name, request.body, request.caller));
}

Answer test_stream(Service& service, const Request& request) {
  if (service.control == nullptr) return no_control();
  if (auto no = refuse(*service.control, request, "test streams")) return std::move(*no);
  const auto said = service.control->test_sink(request.target.path[kNamePart], request.caller);
  if (!said) return error_answer(said.error());
  JsonText json;
  Answer answer;
  answer.text = json.begin().text("answer", *said).end().take() + '\n';
  return answer;
}

Answer replay_stream(Service& service, const Request& request) {
  if (service.control == nullptr) return no_control();
  if (auto no = refuse(*service.control, request, "send dead letters again")) return std::move(*no);
  const auto replayed = service.control->replay(request.target.path[kNamePart], request.caller);
  if (!replayed) return error_answer(replayed.error());
  JsonText json;
  Answer answer;
  json.begin().number("delivered", replayed->delivered).number("refused", replayed->refused).end();
  answer.text = json.take() + '\n';
  return answer;
}

Answer show_configuration(Service& service, const Request&) {
  if (service.control == nullptr) return no_control();
  Answer answer;
  answer.text = service.control->configuration() + '\n';
  return answer;
}

Answer reload_configuration(Service& service, const Request& request) {
  if (service.control == nullptr) return no_control();
  if (auto no = refuse(*service.control, request, "reload the configuration")) return std::move(*no);
  return answer_of(service.control->reload(request.caller));
}

}  // namespace flowtally::api
