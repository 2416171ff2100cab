#include "cli/ask.hpp"

#include <cerrno>

#include "cli/json.hpp"

namespace flowtally::cli {

Outcome judge(const Reply& reply, Console& console) {
  if (reply.error) console.say(reply.error->text());
  switch (reply.end) {
    case Reply::End::kWhole:
    case Reply::End::kEnough: return Outcome::kDone;
    case Reply::End::kStopped: return Outcome::kStopped;
    case Reply::End::kUnreachable: return Outcome::kUnreachable;
    case Reply::End::kRefused: return reply.status == 400 ? Outcome::kUsage : Outcome::kFailed;
    case Reply::End::kBroken: return Outcome::kFailed;
  }
  return Outcome::kFailed;
}

Outcome judge_output(Console& console) {
  if (console.stopped()) return Outcome::kStopped;
  const int error = console.print_errno();
  if (error == 0 || error == EPIPE) return Outcome::kDone;
  console.say(base::Error::from_errno(error, "write to stdout").text());
  return Outcome::kFailed;
}

std::expected<std::string, Outcome> ask(const std::string& socket, const Question& question,
                                        Console& console) {
  auto client = HttpClient::open(socket, console.stop_fd());
  if (!client) {
    console.say(client.error().text());
    return std::unexpected(Outcome::kUsage);
  }
  std::string body;
  const Reply reply = client->ask(question, [&](std::string_view piece) {
    if (piece.size() > kDocumentBytesMax - body.size()) return false;
    body += piece;
    return true;
  });
  if (reply.end == Reply::End::kEnough) {
    console.say("the agent's answer is longer than is taken here");
    return std::unexpected(Outcome::kFailed);
  }
  if (const Outcome outcome = judge(reply, console); outcome != Outcome::kDone)
    return std::unexpected(outcome);
  return body;
}

}  // namespace flowtally::cli
