#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/ask.hpp"
#include "cli/commands.hpp"
#include "cli/table.hpp"

namespace flowtally::cli {
namespace {

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ",") + text;
  return all.empty() ? "-" : all;
}

class PeerTable {
 public:
  explicit PeerTable(bool colour)
      : table_({{.title = "NAME"},
                {.title = "ADDRESSES"},
                {.title = "OS"},
                {.title = "USER OR TAGS"},
                {.title = "ROUTES"},
                {.title = "STATE"},
                {.title = "BY"}},
               colour) {}

  /// The node at this place of the document: "/self", or "" for an element.
  void add(const JsonDocument& document, const std::string& place, bool self, std::string& out) {
    const std::string user = document.text(place + "/user");
    const bool online = document.flag(place + "/online");
    const bool expired = document.flag(place + "/expired");
    const std::string state = self ? "this node" : expired ? "key expired" : online ? "online" : "offline";
    const std::string name = document.text(place + "/name");
    // The endpoint in use comes first; without one the peer is reached by its relay.
    const std::string endpoint = document.text(place + "/endpoints/0");
    const std::string relay = document.text(place + "/relay");
    table_.add({or_dash(name.empty() ? document.text(place + "/id") : name),
                joined(document.texts(place + "/addresses")), or_dash(document.text(place + "/os")),
                user.empty() ? joined(document.texts(place + "/tags")) : user,
                joined(document.texts(place + "/primaryRoutes")), state,
                !endpoint.empty() ? endpoint : or_dash(relay.empty() ? "" : "relay " + relay)},
               out, expired && !self ? Mood::kWrong : Mood::kPlain);
  }
  void end(std::string& out) { table_.flush(out); }

 private:
  Table table_;
};

}  // namespace

Outcome show_peers(const PeersOptions& options, Console& console) {
  auto client = HttpClient::open(options.socket, console.stop_fd());
  if (!client) {
    console.say(client.error().text());
    return Outcome::kUsage;
  }
  PeerTable table(console.colour());
  JsonDocument document;
  std::string text;
  std::string source;
  ListScanner scanner(
      "peers",
      [&](std::string_view head) {
        if (!document.read(head)) return false;
        source = document.text("/source");
        if (document.has("/self")) table.add(document, "/self", true, text);
        return true;
      },
      [&](std::string_view element) {
        if (!document.read(element)) return false;
        table.add(document, "", false, text);
        return options.json || console.print(std::exchange(text, {}));
      });
  const Reply reply = client->ask({.path = "/api/v1/peers"}, [&](std::string_view piece) {
    return options.json ? console.print(piece) : scanner.feed(piece);
  });
  if (reply.end == Reply::End::kEnough && !console.stopped() && console.print_errno() == 0) {
    console.say(scanner.error() ? scanner.error()->text() : "the agent's list of peers is not understood");
    return Outcome::kFailed;
  }
  if (const Outcome outcome = judge(reply, console); outcome != Outcome::kDone) return outcome;
  if (options.json) return judge_output(console);
  if (!scanner.frame()) {
    console.say("the agent's answer is not whole. Try again");
    return Outcome::kFailed;
  }
  table.end(text);
  console.print(text);
  const Outcome outcome = judge_output(console);
  if (source == "none") console.say("nobody has told the agent who is who yet: see `flowtally status`");
  return outcome;
}

}  // namespace flowtally::cli
