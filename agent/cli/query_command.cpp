// This file answers `flowtally query`: by the agent, or from a journal on disk without one. Rows come the
// same way from both and are printed as they come.
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/ask.hpp"
#include "cli/commands.hpp"
#include "record/text.hpp"

namespace flowtally::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Printed when there is so much of it, and at the end of each piece that comes.
constexpr std::size_t kPrintBytes = std::size_t{32} << 10U;
/// What takes less time shows no progress.
constexpr std::chrono::seconds kPatience{1};

/// Rows on their way to the console.
class Printer {
 public:
  Printer(const QueryOptions& options, const query::Query& query, Console& console)
      : style_{.format = options.format,
               .connections = query.group_by.empty(),
               .colour = console.colour(),
               .zone = query::local_zone()},
        console_(console) {}

  void begin(std::vector<AnswerColumn> columns) {
    columns_ = std::move(columns);
    writer_ = std::make_unique<AnswerWriter>(columns_, style_);
    writer_->begin(text_);
  }
  [[nodiscard]] const std::vector<AnswerColumn>& columns() const noexcept { return columns_; }

  bool row(const query::Row& row) {
    ++rows_;
    writer_->row(row, text_);
    return text_.size() < kPrintBytes || flush();
  }
  bool flush() { return console_.print(std::exchange(text_, {})); }

  void progress(const std::string& how_far) {
    const auto since = Clock::now() - begun_;
    if (since < kPatience) return;
    console_.show_progress(fmt::format("{}, {} so far, {} s; Ctrl-C ends it", how_far,
                                       count_text(rows_, "row", "rows"),
                                       std::chrono::duration_cast<std::chrono::seconds>(since).count()));
  }

  Outcome end(const query::Summary& summary) {
    writer_->end(summary, text_);
    flush();
    console_.clear_progress();
    if (const Outcome outcome = judge_output(console_); outcome != Outcome::kDone) return outcome;
    if (console_.print_errno() != 0) return Outcome::kDone;  // nobody reads what would be said of it
    if (const std::string missing = missing_text(summary.missing); !missing.empty()) console_.say(missing);
    if (summary.begins_ns) {
      console_.say(fmt::format("the journal begins at {}: retention removed what was before",
                               local_time_text(*summary.begins_ns, style_.zone)));
    }
    if (summary.groups_beyond > 0) {
      console_.say(
          fmt::format("more groups than there is room for: those that came late are one row, others"));
    }
    if (rows_ == 0 && style_.format == Format::kTable) {
      console_.say(fmt::format("nothing matches, in {} that were looked at",
                               count_text(summary.records, "record", "records")));
    }
    return Outcome::kDone;
  }

 private:
  AnswerStyle style_;
  Console& console_;
  std::vector<AnswerColumn> columns_;
  std::unique_ptr<AnswerWriter> writer_;  ///< null before begin()
  std::string text_;
  std::uint64_t rows_ = 0;
  Clock::time_point begun_ = Clock::now();
};

Question question_of(const query::QueryText& text, const query::Query& query) {
  Question question{.path = "/api/v1/query", .idle_max = std::chrono::seconds(0)};  // a sum may take its time
  const auto add = [&](const char* name, std::string value) {
    if (!value.empty()) question.parameters.emplace_back(name, std::move(value));
  };
  add("filter", text.filter);
  // Times are meant by the clock and the time zone of who asks, not by those of the agent.
  if (query.start_ns != std::numeric_limits<std::int64_t>::min())
    add("start", record::time_text(query.start_ns));
  if (query.end_ns != std::numeric_limits<std::int64_t>::max()) add("end", record::time_text(query.end_ns));
  add("group_by", text.group_by);
  add("sort", text.sort);
  add("limit", text.limit);
  add("format", "json");
  return question;
}

Outcome ask_agent(const QueryOptions& options, const query::Query& query, Console& console) {
  auto client = HttpClient::open(options.socket, console.stop_fd());
  if (!client) {
    console.say(client.error().text());
    return Outcome::kUsage;
  }
  Printer printer(options, query, console);
  JsonDocument document;
  std::optional<base::Error> error;
  ListScanner scanner(
      "rows",
      [&](std::string_view head) {
        auto read = document.read(head);
        if (!read) {
          error = std::move(read.error());
          return false;
        }
        printer.begin(answer_columns(document));
        return true;
      },
      [&](std::string_view element) {
        auto row = answer_row(element, printer.columns(), document);
        if (!row) {
          error = std::move(row.error());
          return false;
        }
        return printer.row(*row);
      });
  const Reply reply = client->ask(
      question_of(options.text, query),
      [&](std::string_view piece) { return scanner.feed(piece) && printer.flush(); },
      [&] { printer.progress("waiting for the agent"); });
  console.clear_progress();
  if (const auto& misread = scanner.error()) error = *misread;
  if (error) {
    console.say(error->text());
    return Outcome::kFailed;
  }
  if (reply.end == Reply::End::kEnough) return judge_output(console);
  if (const Outcome outcome = judge(reply, console); outcome != Outcome::kDone) return outcome;
  const auto frame = scanner.frame();
  if (!frame || !document.read(*frame) || printer.columns().empty()) {
    console.say("the agent's answer is not whole. Try again; if the agent still runs, its log says why");
    return Outcome::kFailed;
  }
  return printer.end(answer_summary(document));
}

Outcome read_journal(const QueryOptions& options, const query::Query& query, Console& console) {
  struct stat found{};
  if (::stat(options.journal.c_str(), &found) != 0) {
    console.say(base::Error::from_errno(errno, fmt::format("read the journal {}", options.journal))
                    .advise("Give what `flowtally run` has as --state-dir, as a user who may read it")
                    .text());
    return Outcome::kFailed;
  }
  Printer printer(options, query, console);
  printer.begin(answer_columns(query::columns_of(query)));
  std::stop_source stop;
  const query::RunOptions run{
      .threads = options.threads, .stop = stop.get_token(), .progress = [&](const query::Progress& progress) {
        if (console.stopped()) stop.request_stop();
        const std::uint64_t all = std::max<std::uint64_t>(progress.records_total, 1);
        printer.progress(
            fmt::format("{} % of {}", progress.records * 100 / all, count_text(all, "record", "records")));
      }};
  auto summary =
      query::run_query(query, options.journal, run, [&](const query::Row& row) { return printer.row(row); });
  console.clear_progress();
  if (console.stopped()) return Outcome::kStopped;
  if (!summary) {
    console.say(summary.error().text());
    return Outcome::kFailed;
  }
  return printer.end(*summary);
}

}  // namespace

Outcome run_query(const QueryOptions& options, Console& console) {
  // Read here too, because times are local and because what is wrong is best said without the agent.
  const auto query = query::parse_query(options.text, base::now().wall_ns);
  if (!query) {
    console.say(query.error().text());
    return Outcome::kUsage;
  }
  return options.journal.empty() ? ask_agent(options, *query, console)
                                 : read_journal(options, *query, console);
}

}  // namespace flowtally::cli
