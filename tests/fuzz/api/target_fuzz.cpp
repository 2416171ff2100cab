// Goal: no address, header or time in a request harms the API, and what is answered is what the request is
// worth: one known status, and a body that is JSON with a message where it is an error. Method: libFuzzer on
// a request as text, its method and target in the first lines, headers in the following ones, its body in the
// rest, through the same functions that the server calls, against an agent without a kernel. The HTTP library
// itself is not in it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "api/logged.hpp"
#include "api/routes.hpp"
#include "api/time_range.hpp"
#include "api/token.hpp"
#include "base/check.hpp"
#include "server/api/fake_control.hpp"
#include "server/api/fake_source.hpp"

namespace {

using namespace flowtally;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::string make_folder() {
  std::string path = (std::filesystem::temp_directory_path() / "flowtally-fuzz-XXXXXX").string();
  FLOWTALLY_CHECK(::mkdtemp(path.data()) != nullptr);
  return path;
}

struct Agent {
  test::FakeSource source{make_folder()};
  test::FakeControl control{};
  api::Service service{source, api::Limits{.slot_wait = std::chrono::milliseconds(0)}, &control};
  Agent() { source.append(3, 2); }
};

void check_answer(api::Answer answer) {
  switch (answer.status) {
    case 200: break;
    case 400:
    case 403:
    case 404:
    case 405:
    case 413:
    case 503:
      FLOWTALLY_CHECK(answer.text.starts_with("{\"message\":\"") && answer.text.ends_with("\"}\n"));
      break;
    default: FLOWTALLY_CHECK(false);
  }
  for (const auto& [name, value] : answer.headers) {
    FLOWTALLY_CHECK(value.find_first_of("\r\n") == std::string::npos);
  }
  // A follower's body never ends: its begin will do.
  std::string room(4096, '\0');
  for (int read = 0; answer.body && read < 4; ++read) {
    const auto bytes = answer.body->read(room);
    FLOWTALLY_CHECK(bytes.has_value() && *bytes <= room.size());
    if (*bytes == 0 || answer.content_type == "text/event-stream") break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Agent agent;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view whole = text;
  api::Request request;
  request.method = std::string(take_line(text));
  auto target = api::parse_target(take_line(text));
  request.accept = std::string(take_line(text));
  request.accept_encoding = std::string(take_line(text));
  request.authorization = std::string(take_line(text));
  request.last_event_id = std::string(take_line(text));
  static_cast<void>(api::accepts(request.accept_encoding, "gzip"));
  static_cast<void>(api::decode_base64(request.authorization));
  static_cast<void>(api::parse_instant(whole));
  static_cast<void>(api::logged_at(whole));
  api::OutgoingLine line;
  api::Pieces pieces;
  line.add_to(pieces, whole);
  std::string out(64, '\0');
  while (!pieces.empty()) FLOWTALLY_CHECK(pieces.take(out) > 0);

  if (!target) {
    FLOWTALLY_CHECK(!target.error().text().empty());
    return 0;
  }
  FLOWTALLY_CHECK(target->parameters.all().size() <= api::kParametersMax);
  request.target = std::move(*target);
  request.body = std::string(text);
  request.has_body = !text.empty();
  // Who is not root changes nothing.
  request.caller.uid = whole.size() % 4 == 0 ? 1000 : 0;
  check_answer(api::answer_request(agent.service, request));
  FLOWTALLY_CHECK(request.caller.uid == 0 || (agent.control.named.empty() && agent.control.streams.empty() &&
                                              agent.control.reloads == 0));
  for (const auto& [type, stream] : agent.control.streams) {
    request.method = "GET";
    request.target =
        *api::parse_target(fmt::format("/api/v2/tailnet/-/logging/{}/stream", model::log_type_name(type)));
    request.body.clear();
    request.has_body = false;
    FLOWTALLY_CHECK(api::answer_request(agent.service, request).status == 200);
  }
  agent.control.streams.clear();
  agent.control.named.clear();
  agent.control.refusals.clear();
  agent.control.reloads = 0;
  return 0;
}
