#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cli/ask.hpp"
#include "cli/commands.hpp"
#include "cli/json.hpp"
#include "cli/table.hpp"
#include "record/parse.hpp"

namespace flowtally::cli {
namespace {

/// As much as the agent takes.
constexpr std::size_t kStreamBytesMax = std::size_t{64} << 10U;

std::expected<std::string, Outcome> text_of(const std::string& path, Console& console) {
  const bool standard = path == "-";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      standard ? stdin : std::fopen(path.c_str(), "re"),
      [](std::FILE* open) { return open == stdin ? 0 : std::fclose(open); });
  if (!file) {
    console.say(base::Error::from_errno(errno, "open " + path).text());
    return std::unexpected(Outcome::kUsage);
  }
  std::string text(kStreamBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) {
    console.say(fmt::format("{} cannot be read", standard ? "stdin" : path));
    return std::unexpected(Outcome::kFailed);
  }
  if (text.size() <= kStreamBytesMax) return text;
  console.say(fmt::format("{} has more than {} bytes", standard ? "stdin" : path, kStreamBytesMax));
  return std::unexpected(Outcome::kUsage);
}

Mood mood_of(const std::string& state) {
  if (state == "misconfigured") return Mood::kWrong;
  return state == "retrying" ? Mood::kWarning : Mood::kPlain;
}

std::string page_of(const JsonDocument& document, Console& console) {
  const query::ZoneOffset zone = query::local_zone();
  Table table({{.title = "NAME"},
               {.title = "TYPE"},
               {.title = "LOGS"},
               {.title = "STATE"},
               {.title = "DELIVERED", .right = true},
               {.title = "BEHIND", .right = true},
               {.title = "REFUSED", .right = true},
               {.title = "LOST", .right = true},
               {.title = "UP TO"}},
              console.colour());
  std::string out;
  std::string failures;
  for (std::size_t at = 0; at < document.size("/streams"); ++at) {
    const std::string place = fmt::format("/streams/{}", at);
    const std::string state = document.text(place + "/state");
    const std::string name = document.text(place + "/name");
    const auto end = record::parse_time(document.text(place + "/deliveredEnd"));
    table.add(
        {name, document.text(place + "/type"), document.text(place + "/logType"), state,
         count_text(document.number(place + "/items")), count_text(document.number(place + "/behindRecords")),
         count_text(document.number(place + "/refusedItems")),
         count_text(document.number(place + "/lostRecords")), end ? local_time_text(*end, zone) : "-"},
        out, mood_of(state));
    const std::string failure = document.text(place + "/failure");
    if (!failure.empty() && !document.text(place + "/failingSince").empty())
      failures += fmt::format("{}: {}\n", printable(name), printable(failure));
  }
  table.flush(out);
  return out + failures;
}

Outcome list(const StreamOptions& options, Console& console) {
  auto body = ask(options.socket, {.path = "/api/v1/streams"}, console);
  if (!body) return body.error();
  if (options.json) {
    console.print(*body);
    return judge_output(console);
  }
  JsonDocument document;
  if (!document.read(*body)) {
    console.say("the agent's answer is not understood");
    return Outcome::kFailed;
  }
  if (document.size("/streams") == 0) {
    console.say(
        "nothing is streamed. `flowtally stream add NAME FILE` adds a stream, or the configuration file's "
        "`sinks`");
    return Outcome::kDone;
  }
  console.print(page_of(document, console));
  return judge_output(console);
}

Outcome change(const StreamOptions& options, Console& console) {
  using What = StreamOptions::What;
  Question question{.path = "/api/v1/streams/" + options.name};
  // A receiver may take its time before it says no.
  question.idle_max = std::chrono::seconds(120);
  switch (options.what) {
    case What::kAdd: {
      auto text = text_of(options.file, console);
      if (!text) return text.error();
      question.method = "PUT";
      question.body = std::move(*text);
      break;
    }
    case What::kRemove: question.method = "DELETE"; break;
    case What::kTest:
      question.method = "POST";
      question.path += "/test";
      break;
    case What::kReplay:
      question.method = "POST";
      question.path += "/replay";
      break;
    case What::kList: break;
  }
  auto body = ask(options.socket, question, console);
  if (!body) return body.error();
  JsonDocument answer;
  if (options.what == What::kTest && answer.read(*body)) {
    const std::string said = answer.text("/answer");
    for (std::size_t at = 0; at < said.size();) {  // a line for each log
      const std::size_t end = std::min(said.find('\n', at), said.size());
      console.print(printable(said.substr(at, end - at)) + '\n');
      at = end + 1;
    }
  }
  if (options.what == What::kReplay && answer.read(*body)) {
    console.print(fmt::format("{} delivered, {} refused again\n", count_text(answer.number("/delivered")),
                              count_text(answer.number("/refused"))));
  }
  return judge_output(console);
}

}  // namespace

Outcome stream(const StreamOptions& options, Console& console) {
  return options.what == StreamOptions::What::kList ? list(options, console) : change(options, console);
}

}  // namespace flowtally::cli
