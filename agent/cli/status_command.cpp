#include "cli/ask.hpp"
#include "cli/commands.hpp"
#include "cli/status_text.hpp"

namespace flowtally::cli {

Outcome show_status(const StatusOptions& options, Console& console) {
  auto body = ask(options.socket, {.path = "/api/v1/status"}, console);
  if (!body) return body.error();
  JsonDocument status;
  if (auto read = status.read(*body); !read) {
    console.say(read.error().text());
    return Outcome::kFailed;
  }
  if (options.json) {
    console.print(*body);
  } else {
    console.print(status_page(status_lines(status, query::local_zone()), console.colour()));
  }
  return judge_output(console);
}

}  // namespace flowtally::cli
