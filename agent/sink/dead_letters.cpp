#include "sink/dead_letters.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/clock.hpp"
#include "record/parse.hpp"
#include "record/text.hpp"
#include "sink/json_line.hpp"

namespace flowtally::sink {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

constexpr const char* kFile = "dead-letters.ndjson";
constexpr const char* kFileBefore = "dead-letters.1.ndjson";
constexpr const char* kTaken = "dead-letters.taken.ndjson";

std::uint64_t size_of(journal::FileSystem& files, const std::string& path) {
  auto file = files.open(path, journal::OpenMode::kRead);
  if (!file) return 0;
  return (*file)->size().value_or(0);
}

/// A line as append() makes it; nothing if it is none.
std::optional<DeadLetter> read_line(simdjson::dom::parser& parser, std::string_view line) {
  simdjson::dom::element letter;
  if (parser.parse(line.data(), line.size()).get(letter) != simdjson::SUCCESS) return std::nullopt;
  DeadLetter read;
  std::string_view log_type;
  std::string_view record;
  std::string_view time;
  std::string_view logged;
  std::string_view reason;
  std::uint64_t part = 0;
  if (letter["logType"].get(log_type) != simdjson::SUCCESS ||
      letter["sequence"].get(read.item.sequence) != simdjson::SUCCESS ||
      letter["part"].get(part) != simdjson::SUCCESS || letter["record"].get(record) != simdjson::SUCCESS ||
      letter["time"].get(time) != simdjson::SUCCESS || letter["reason"].get(reason) != simdjson::SUCCESS ||
      record.size() != 32) {
    return std::nullopt;
  }
  if (letter["logged"].get(logged) != simdjson::SUCCESS) logged = {};
  read.log_type = log_type == "network" ? model::LogType::kNetwork : model::LogType::kConfiguration;
  read.reason = reason;
  read.item.part = static_cast<std::uint32_t>(part);
  read.item.time_ns = record::parse_time(time).value_or(0);
  read.item.logged_ns = record::parse_time(logged).value_or(0);
  for (std::size_t half = 0; half < 2; ++half) {
    const std::string_view digits = record.substr(half * 16, 16);
    std::from_chars(digits.data(), digits.data() + digits.size(), read.item.record[half], 16);
  }
  simdjson::dom::element item;
  std::string_view text;
  if (letter["item"].get(item) == simdjson::SUCCESS) {
    read.text = simdjson::minify(item);
  } else if (letter["line"].get(text) == simdjson::SUCCESS) {
    read.text = text;
    read.whole = false;
  }
  return read;
}

}  // namespace

std::string sink_folder(const std::string& state_dir, const std::string& name) {
  return fmt::format("{}/sinks/{}", state_dir, name);
}

DeadLetters::DeadLetters(std::string folder, std::string sink, journal::FileSystem& files)
    : folder_(std::move(folder)), sink_(std::move(sink)), files_(files) {}

std::string DeadLetters::line_of(const DeadLetter& letter) const {
  std::string line;
  JsonLine json(line);
  json.text("sink", sink_);
  json.word("logType", model::log_type_name(letter.log_type));
  json.number("sequence", letter.item.sequence);
  json.number("part", letter.item.part);
  json.text("reason", std::string_view(letter.reason).substr(0, kReasonBytesMax));
  json.time("refused", base::now().wall_ns);
  json.time("time", letter.item.time_ns);
  if (letter.item.logged_ns != 0) json.time("logged", letter.item.logged_ns);
  json.word("record", fmt::format("{:016x}{:016x}", letter.item.record[0], letter.item.record[1]));
  // What is no JSON stands in quotation marks, so that the line itself is.
  simdjson::dom::parser parser;
  if (parser.parse(letter.text.data(), letter.text.size()).error() == simdjson::SUCCESS) {
    json.raw("item", letter.text);
  } else {
    json.text("line", letter.text);
  }
  json.end();
  return line + '\n';
}

base::Status DeadLetters::rotate() {
  const std::string path = folder_ + '/' + kFile;
  if (size_of(files_, path) < kDeadLetterFileBytesMax) return {};
  return files_.rename(path, folder_ + '/' + kFileBefore);
}

base::Status DeadLetters::append(const std::vector<DeadLetter>& letters) {
  if (letters.empty()) return {};
  const auto failed = [this](Error error) {
    return fail(std::move(error).during(fmt::format("keep what was refused in {}", folder_)));
  };
  if (auto made = files_.make_directory(folder_); !made) return failed(std::move(made.error()));
  if (auto rotated = rotate(); !rotated) return failed(std::move(rotated.error()));
  const std::string path = folder_ + '/' + kFile;
  auto file = files_.open(path, journal::OpenMode::kWrite);
  if (!file && file.error().code() == ErrorCode::kNotFound)
    file = files_.open(path, journal::OpenMode::kCreate);
  if (!file) return failed(std::move(file.error()));
  const auto size = (*file)->size();
  if (!size) return failed(size.error());
  std::string text;
  for (const DeadLetter& letter : letters) text += line_of(letter);
  if (auto written = journal::write_all(**file, *size, text); !written) {
    // Half a line would spoil the next one.
    static_cast<void>((*file)->truncate(*size));
    return failed(std::move(written.error()));
  }
  if (auto synced = (*file)->sync(); !synced) return failed(std::move(synced.error()));
  if (auto synced = files_.sync_directory(folder_); !synced) return failed(std::move(synced.error()));
  return {};
}

std::uint64_t DeadLetters::bytes() const {
  return size_of(files_, folder_ + '/' + kFile) + size_of(files_, folder_ + '/' + kFileBefore);
}

base::Result<std::vector<DeadLetter>> DeadLetters::take(Which which) {
  const std::string taken = folder_ + '/' + kTaken;
  if (which != Which::kTaken) {
    const char* const name = which == Which::kNow ? kFile : kFileBefore;
    auto moved = files_.rename(folder_ + '/' + name, taken);
    if (!moved && moved.error().code() == ErrorCode::kNotFound) return std::vector<DeadLetter>{};
    if (!moved) return fail(std::move(moved.error()));
  }
  auto file = files_.open(taken, journal::OpenMode::kRead);
  if (!file && file.error().code() == ErrorCode::kNotFound) return std::vector<DeadLetter>{};
  if (!file) return fail(std::move(file.error()));
  const auto size = (*file)->size();
  if (!size) return fail(size.error());
  std::string text(static_cast<std::size_t>(*size), '\0');
  if (auto read = journal::read_all(**file, 0, text); !read) return fail(std::move(read.error()));
  std::vector<DeadLetter> letters;
  simdjson::dom::parser parser;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (auto letter = read_line(parser, std::string_view(text).substr(at, end - at)))
      letters.push_back(std::move(*letter));
    at = end + 1;
  }
  return letters;
}

base::Status DeadLetters::drop_taken() {
  auto removed = files_.remove(folder_ + '/' + kTaken);
  if (!removed && removed.error().code() == ErrorCode::kNotFound) return {};
  return removed;
}

}  // namespace flowtally::sink
