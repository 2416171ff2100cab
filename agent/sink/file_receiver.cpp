#include "sink/file_receiver.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "sink/log_name.hpp"

namespace flowtally::sink {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr std::uint64_t kRotateBytesMin = std::uint64_t{64} << 10U;
constexpr std::uint32_t kRotateFilesMax = 1000;
/// Lines are gathered up to so many bytes for one write.
constexpr std::size_t kWriteBytes = std::size_t{1} << 20U;
/// Read backwards in such pieces when the last line end is looked for.
constexpr std::size_t kLookBytes = std::size_t{64} << 10U;

/// What a failure means for the items: some are a matter of time, the others of rights and names.
Verdict verdict_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kPermission:
    case ErrorCode::kNotFound:
    case ErrorCode::kInvalidArgument: return Verdict::kMisconfigured;
    default: return Verdict::kRetry;
  }
}

class FileReceiver final : public Receiver {
 public:
  FileReceiver(model::FileSettings settings, journal::FileSystem& files)
      : settings_(std::move(settings)),
        files_(files),
        directory_(settings_.path.substr(0, std::max<std::size_t>(settings_.path.rfind('/'), 1))) {}

  [[nodiscard]] ReceiverTraits traits() const override { return {}; }

  Outcome send(const Batch& batch, std::size_t first, std::size_t count,
               const std::stop_token& stop) override {
    Outcome outcome{.verdict = Verdict::kDelivered};
    std::size_t done = 0;
    while (done < count && !stop.stop_requested()) {
      const Result<std::size_t> written = write_some(batch, first + done, count - done, outcome);
      if (!written) {
        file_.reset();  // what is there is looked at again before more is written
        outcome.verdict = verdict_of(written.error());
        outcome.reason = written.error().text();
        break;
      }
      done += *written;
    }
    if (done == count) return outcome;
    if (outcome.reason.empty()) outcome.verdict = Verdict::kStopped;
    if (done == 0) return outcome;
    // A stop says nothing about items; those that are on the disk are delivered all the same.
    const Verdict rest = outcome.verdict == Verdict::kStopped ? Verdict::kRetry : outcome.verdict;
    outcome.items.assign(count, rest);
    std::fill_n(outcome.items.begin(), done, Verdict::kDelivered);
    outcome.verdict = rest;
    return outcome;
  }

 private:
  /// Appends items until the file is full or there are no more, and syncs them: how many.
  Result<std::size_t> write_some(const Batch& batch, std::size_t first, std::size_t count, Outcome& outcome) {
    if (!file_) {
      if (Status opened = open(); !opened) return fail(std::move(opened.error()));
    }
    if (size_ > 0 && size_ + batch.items[first].size + 1 > settings_.rotate_bytes) {
      if (Status rotated = rotate(); !rotated) return fail(std::move(rotated.error()));
    }
    std::uint64_t end = size_;
    std::size_t done = 0;
    while (done < count) {
      lines_.clear();
      while (done < count && lines_.size() < kWriteBytes) {
        const std::string_view text = batch.text_of(batch.items[first + done]);
        const std::uint64_t after = end + lines_.size() + text.size() + 1;
        if (after > settings_.rotate_bytes && end + lines_.size() > 0) break;
        lines_ += text;
        lines_ += '\n';
        ++done;
      }
      if (lines_.empty()) break;
      if (Status written = journal::write_all(*file_, end, lines_); !written) return undo(written.error());
      end += lines_.size();
    }
    if (Status synced = file_->sync(); !synced) return undo(synced.error());
    outcome.bytes += end - size_;
    outcome.bytes_sent += end - size_;
    ++outcome.requests;
    size_ = end;
    return done;
  }

  /// Takes off what is not known to be on the disk; if that fails too, open() does it.
  std::unexpected<Error> undo(Error error) {
    if (const Status cut = file_->truncate(size_); !cut) error = std::move(error).during(cut.error().text());
    return fail(std::move(error));
  }

  Status open() {
    if (!lock_) {
      auto lock = files_.lock(settings_.path + ".lock");
      if (!lock) return fail(std::move(lock.error()));
      lock_ = std::move(*lock);
    }
    auto opened = files_.open(settings_.path, journal::OpenMode::kWrite);
    if (!opened && opened.error().code() == ErrorCode::kNotFound) return create();
    if (!opened) return fail(std::move(opened.error()));
    const auto end = end_of_lines(**opened);
    if (!end) return fail(Error(end.error()));
    if (Status cut = (*opened)->truncate(*end); !cut) return cut;
    file_ = std::move(*opened);
    size_ = *end;
    return {};
  }

  Status create() {
    auto created = files_.open(settings_.path, journal::OpenMode::kCreate);
    if (!created) return fail(std::move(created.error()));
    if (Status synced = files_.sync_directory(directory_); !synced) return synced;
    file_ = std::move(*created);
    size_ = 0;
    return {};
  }

  /// Where the last whole line ends.
  static Result<std::uint64_t> end_of_lines(journal::File& file) {
    const auto size = file.size();
    if (!size) return fail(Error(size.error()));
    std::string piece(kLookBytes, '\0');
    std::uint64_t end = *size;
    while (end > 0) {
      const std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(end, kLookBytes));
      const std::span<char> look = std::span(piece).first(bytes);
      if (Status read = journal::read_all(file, end - bytes, look); !read)
        return fail(std::move(read.error()));
      const std::size_t found = std::string_view(look.data(), bytes).rfind('\n');
      if (found != std::string_view::npos) return end - bytes + found + 1;
      end -= bytes;
    }
    return 0;
  }

  [[nodiscard]] std::string kept(std::uint32_t number) const {
    return fmt::format("{}.{}", settings_.path, number);
  }

  /// NAME.1 is the youngest. A crash in between leaves a number out, which the next time does no harm.
  Status rotate() {
    file_.reset();
    for (std::uint32_t number = settings_.rotate_files; number > 0; --number) {
      const std::string from = number == 1 ? settings_.path : kept(number - 1);
      Status moved = files_.rename(from, kept(number));
      if (!moved && moved.error().code() != ErrorCode::kNotFound) return moved;
    }
    if (settings_.rotate_files == 0) {
      if (Status removed = files_.remove(settings_.path); !removed) return removed;
    }
    return create();
  }

  const model::FileSettings settings_;
  journal::FileSystem& files_;
  const std::string directory_;
  std::unique_ptr<journal::FileLock> lock_{};
  std::unique_ptr<journal::File> file_{};
  std::uint64_t size_ = 0;  ///< of the lines that are on the disk
  std::string lines_{};
};

}  // namespace

Result<std::unique_ptr<Receiver>> make_file_receiver(const model::SinkSettings& settings,
                                                     model::LogType log_type, journal::FileSystem& files) {
  model::FileSettings file = std::get<model::FileSettings>(settings.receiver);
  const auto wrong = [](std::string what) {
    return fail(Error(ErrorCode::kInvalidArgument, std::move(what)));
  };
  if (!file.path.starts_with('/') || file.path.ends_with('/'))
    return wrong(fmt::format("path: \"{}\" is not the absolute path of a file", file.path));
  if (file.rotate_bytes < kRotateBytesMin)
    return wrong(fmt::format("rotate_size: {} is less than {}", file.rotate_bytes, kRotateBytesMin));
  if (file.rotate_files > kRotateFilesMax)
    return wrong(fmt::format("rotate_files: {} is more than {}", file.rotate_files, kRotateFilesMax));
  if (settings.compression != model::Compression::kNone)
    return wrong("compression: files are written as they are; choose none");
  if (settings.logs.size() > 1 && file.path.find(kLogPlace) == std::string::npos)
    return wrong(fmt::format("path: both logs cannot be in one file; put {} into it", kLogPlace));
  file.path = with_log_name(std::move(file.path), log_type);
  return std::make_unique<FileReceiver>(std::move(file), files);
}

}  // namespace flowtally::sink
