// Goal: not one byte of a record is lost, doubled or out of order, whatever the receiver does. Method: real
// files, pipes and sockets; what the receiver got is compared byte by byte with what was added. A full disk
// is /dev/full, or a limit on the size of files, after which there is room again.
#include "app/record_output.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace flowtally::app {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using Progress = RecordOutput::Progress;

/// A directory that goes with the test.
struct TempDir {
  TempDir() {
    std::string name = (fs::temp_directory_path() / "flowtally-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { fs::remove_all(path); }
  [[nodiscard]] std::string file(const char* name) const { return (path / name).string(); }
  fs::path path;
};

/// Ignores a signal while it lives.
class Ignored {
 public:
  explicit Ignored(int number) : number_(number) {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    REQUIRE(::sigaction(number_, &ignore, &before_) == 0);
  }
  Ignored(const Ignored&) = delete;
  Ignored& operator=(const Ignored&) = delete;
  ~Ignored() { ::sigaction(number_, &before_, nullptr); }

 private:
  int number_;
  struct sigaction before_{};
};

/// No file may grow beyond this many bytes while it lives: a disk that fills up in the midst of a write.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : ignored_(SIGXFSZ) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limited{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limited) == 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  Ignored ignored_;
  rlimit before_{};
};

/// Both ends of a pipe or of a connection.
struct Ends {
  base::UniqueFd reader;
  base::UniqueFd writer;
};

Ends make_pipe(int size = 0) {
  std::array<int, 2> fds{};
  REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
  Ends ends{.reader = base::UniqueFd(fds[0]), .writer = base::UniqueFd(fds[1])};
  REQUIRE(::fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
  if (size != 0) REQUIRE(::fcntl(fds[1], F_SETPIPE_SZ, size) > 0);
  return ends;
}

Ends make_connection() {
  std::array<int, 2> fds{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  REQUIRE(::fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
  return {.reader = base::UniqueFd(fds[0]), .writer = base::UniqueFd(fds[1])};
}

/// Takes up to `bytes` of what waits.
std::string take(const base::UniqueFd& from, std::size_t bytes) {
  std::string text(bytes, '\0');
  const auto count = ::read(from.get(), text.data(), bytes);
  REQUIRE((count >= 0 || errno == EAGAIN));
  text.resize(static_cast<std::size_t>(std::max<decltype(count)>(count, 0)));
  return text;
}

std::size_t waiting_in(const base::UniqueFd& reader) {
  int bytes = 0;
  REQUIRE(::ioctl(reader.get(), FIONREAD, &bytes) == 0);
  return static_cast<std::size_t>(bytes);
}

std::string read_file(const std::string& path) {
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(file.valid());
  std::string text;
  for (;;) {
    const std::string part = take(file, 65536);
    if (part.empty()) return text;
    text += part;
  }
}

void write_file(const std::string& path, std::string_view text) {
  const base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  REQUIRE(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

/// Line `number`, unlike every other, of `bytes` bytes with its line end.
std::string line_of(std::size_t number, std::size_t bytes) {
  std::string line = fmt::format("{{\"line\":{}}}", number);
  if (line.size() + 1 < bytes) line.append(bytes - 1 - line.size(), static_cast<char>('a' + number % 26));
  return line + '\n';
}

DescriptorOutput open_output(const std::string& path) {
  auto output = DescriptorOutput::open(path);
  INFO((output ? std::string() : output.error().text()));
  REQUIRE(output);
  return std::move(*output);
}

void require_flush(RecordOutput& output, Progress expected) {
  const auto flushed = output.flush();
  INFO((flushed ? std::string() : flushed.error().text()));
  REQUIRE(flushed);
  REQUIRE(*flushed == expected);
}

base::Error error_of_flush(RecordOutput& output) {
  const auto flushed = output.flush();
  REQUIRE_FALSE(flushed);
  return flushed.error();
}

/// Lets a reader take random amounts until the output is done; gives all that came.
std::string read_until_done(RecordOutput& output, const base::UniqueFd& reader, std::size_t bytes) {
  std::mt19937_64 random(24);  // NOLINT(cert-msc*): the same on every run
  std::string got;
  while (got.size() <= bytes) {
    const auto flushed = output.flush();
    REQUIRE(flushed);
    const std::string part = take(reader, 1 + random() % 20000);
    got += part;
    if (!part.empty()) continue;
    // Nothing waits for the reader: then the output has no reason to wait.
    REQUIRE(*flushed == Progress::kDone);
    break;
  }
  return got;
}

// ---- files

TEST_CASE("a file is made, readable for the group and for nobody else", "[unit]") {
  const TempDir directory;
  const mode_t before = ::umask(0);
  auto output = DescriptorOutput::open(directory.file("new"));
  ::umask(before);
  REQUIRE(output);
  output->add("one\n");
  require_flush(*output, Progress::kDone);
  CHECK(read_file(directory.file("new")) == "one\n");
  struct stat status{};
  REQUIRE(::stat(directory.file("new").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0640);
}

TEST_CASE("a file is appended to, run after run", "[unit]") {
  const TempDir directory;
  write_file(directory.file("old"), "zero\n");
  for (const char* const line : {"one\n", "two\n"}) {
    DescriptorOutput output = open_output(directory.file("old"));
    output.add(line);
    require_flush(output, Progress::kDone);
  }
  CHECK(read_file(directory.file("old")) == "zero\none\ntwo\n");
}

TEST_CASE("two programs that append to one file do not write over each other", "[unit]") {
  const TempDir directory;
  DescriptorOutput one = open_output(directory.file("shared"));
  DescriptorOutput two = open_output(directory.file("shared"));
  for (DescriptorOutput* const output : {&one, &two, &one}) {
    output->add(output == &one ? "one\n" : "two\n");
    require_flush(*output, Progress::kDone);
  }
  CHECK(read_file(directory.file("shared")) == "one\ntwo\none\n");
}

TEST_CASE("a torn last line is ended first, so that the next record begins a line", "[unit]") {
  const TempDir directory;
  write_file(directory.file("torn"), "zero\n{\"nodeId\":\"n");
  DescriptorOutput output = open_output(directory.file("torn"));
  output.add("one\n");
  require_flush(output, Progress::kDone);
  CHECK(read_file(directory.file("torn")) == "zero\n{\"nodeId\":\"n\none\n");
}

TEST_CASE("a file whose last line is whole is left as it is by open", "[unit]") {
  const std::string text = GENERATE(as<std::string>(), "", "\n", "zero\n");
  const TempDir directory;
  write_file(directory.file("whole"), text);
  const DescriptorOutput output = open_output(directory.file("whole"));
  CHECK(read_file(directory.file("whole")) == text);
}

TEST_CASE("nothing added is nothing to do", "[unit]") {
  const TempDir directory;
  DescriptorOutput output = open_output(directory.file("empty"));
  require_flush(output, Progress::kDone);
  require_flush(output, Progress::kDone);
  CHECK(read_file(directory.file("empty")).empty());
}

TEST_CASE("lines far larger than any buffer arrive whole", "[unit]") {
  const TempDir directory;
  DescriptorOutput output = open_output(directory.file("large"));
  std::string all;
  for (const std::size_t bytes : {3'000'000U, 10U, 1'048'576U, 1'048'577U, 20U}) {
    const std::string line = line_of(all.size(), bytes);
    output.add(line);
    all += line;
  }
  require_flush(output, Progress::kDone);
  CHECK((read_file(directory.file("large")) == all));  // in brackets: a failure is not to print megabytes
}

TEST_CASE("a large window is written as it comes, and not kept until the flush", "[unit]") {
  const TempDir directory;
  DescriptorOutput output = open_output(directory.file("large"));
  std::string all;
  std::size_t behind_most = 0;
  for (std::size_t number = 0; number < 4000; ++number) {
    const std::string line = line_of(number, 1000);
    output.add(line);
    all += line;
    behind_most = std::max(behind_most, all.size() - fs::file_size(directory.file("large")));
  }
  CHECK(behind_most < all.size() / 4);
  require_flush(output, Progress::kDone);
  CHECK((read_file(directory.file("large")) == all));
}

// ---- what cannot be opened

TEST_CASE("a directory that is not there is said, with what to do", "[unit]") {
  const TempDir directory;
  const auto output = DescriptorOutput::open(directory.file("none/records.ndjson"));
  REQUIRE_FALSE(output);
  CHECK(output.error().code() == base::ErrorCode::kNotFound);
  CHECK_THAT(output.error().text(), ContainsSubstring(directory.file("none/records.ndjson")));
  CHECK_THAT(output.error().remedy(), ContainsSubstring("in a directory that exists"));
}

TEST_CASE("a directory is no file for records", "[unit]") {
  const TempDir directory;
  const auto output = DescriptorOutput::open(directory.path.string());
  REQUIRE_FALSE(output);
  CHECK(output.error().sys_errno() == EISDIR);
  CHECK_FALSE(output.error().remedy().empty());
}

TEST_CASE("a named pipe without a reader is refused at once", "[unit]") {
  const TempDir directory;
  REQUIRE(::mkfifo(directory.file("fifo").c_str(), 0600) == 0);
  const auto output = DescriptorOutput::open(directory.file("fifo"));
  REQUIRE_FALSE(output);
  CHECK(output.error().sys_errno() == ENXIO);
  CHECK_THAT(output.error().text(), ContainsSubstring(directory.file("fifo")));
  CHECK_THAT(output.error().remedy(), ContainsSubstring("reads"));
}

TEST_CASE("a named pipe with a reader is written, and one that is full is waited for", "[unit]") {
  const TempDir directory;
  REQUIRE(::mkfifo(directory.file("fifo").c_str(), 0600) == 0);
  const base::UniqueFd reader(::open(directory.file("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(reader.valid());
  DescriptorOutput output = open_output(directory.file("fifo"));
  std::string all;
  for (std::size_t number = 0; number < 300; ++number) {
    all += line_of(number, 1000);
    output.add(line_of(number, 1000));
  }
  require_flush(output, Progress::kWaiting);
  CHECK((read_until_done(output, reader, all.size()) == all));
}

// ---- stdout

TEST_CASE("- is stdout, by a descriptor of its own", "[unit]") {
  const Ends ends = make_pipe();
  const base::UniqueFd kept(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  REQUIRE(kept.valid());
  REQUIRE(::dup2(ends.writer.get(), STDOUT_FILENO) == STDOUT_FILENO);
  auto output = DescriptorOutput::open("-");
  REQUIRE(::dup2(kept.get(), STDOUT_FILENO) == STDOUT_FILENO);
  REQUIRE(output);
  output->add("one\n");
  require_flush(*output, Progress::kDone);
  CHECK(take(ends.reader, 100) == "one\n");
}

// ---- receivers that are slow

TEST_CASE("a full pipe is waited for without blocking; nothing is lost or doubled when it is read",
          "[unit]") {
  Ends ends = make_pipe(GENERATE(4096, 16384, 0));
  DescriptorOutput output(std::move(ends.writer), "pipe");
  std::string all;
  for (std::size_t number = 0; number < 400; ++number) {
    const std::string line = line_of(number, 1 + number * 37 % 3000);
    output.add(line);
    all += line;
  }
  require_flush(output, Progress::kWaiting);
  const std::size_t waiting = waiting_in(ends.reader);
  CHECK(waiting > 0);
  require_flush(output, Progress::kWaiting);
  CHECK(waiting_in(ends.reader) == waiting);
  CHECK((read_until_done(output, ends.reader, all.size()) == all));
  require_flush(output, Progress::kDone);
  CHECK(waiting_in(ends.reader) == 0);
}

TEST_CASE("lines that are added while the receiver is slow come after those that wait", "[unit]") {
  Ends ends = make_pipe(4096);
  DescriptorOutput output(std::move(ends.writer), "pipe");
  std::string all;
  std::string got;
  std::mt19937_64 random(25);  // NOLINT(cert-msc*): the same on every run
  for (std::size_t number = 0; number < 3000; ++number) {
    const std::string line = line_of(number, 1 + random() % 2000);
    output.add(line);
    all += line;
    if (random() % 2 == 0) REQUIRE(output.flush());
    if (random() % 2 == 0) got += take(ends.reader, 1 + random() % 3000);
  }
  got += read_until_done(output, ends.reader, all.size());
  CHECK((got == all));
}

TEST_CASE("a pipe that does not block, as another program may leave stdout, loses nothing either", "[unit]") {
  Ends ends = make_pipe(4096);
  REQUIRE(::fcntl(ends.writer.get(), F_SETFL, O_NONBLOCK) == 0);
  DescriptorOutput output(std::move(ends.writer), "pipe");
  const std::string line = line_of(1, 500'000);
  output.add(line);
  require_flush(output, Progress::kWaiting);
  CHECK((read_until_done(output, ends.reader, line.size()) == line));
}

TEST_CASE("a slow connection is waited for as a pipe is", "[unit]") {
  Ends ends = make_connection();
  DescriptorOutput output(std::move(ends.writer), "socket");
  const std::string line = line_of(1, 3'000'000);
  output.add(line);
  require_flush(output, Progress::kWaiting);
  CHECK((read_until_done(output, ends.reader, line.size()) == line));
}

TEST_CASE("an output that is moved while it waits goes on where it was", "[unit]") {
  Ends ends = make_pipe(4096);
  DescriptorOutput first(std::move(ends.writer), "pipe");
  const std::string line = line_of(1, 100'000);
  first.add(line);
  require_flush(first, Progress::kWaiting);
  DescriptorOutput second(std::move(first));
  CHECK((read_until_done(second, ends.reader, line.size()) == line));
}

// ---- receivers that are gone

TEST_CASE("a reader that is gone is a final error that names the output", "[unit]") {
  const Ignored ignored(SIGPIPE);
  Ends ends = GENERATE(false, true) ? make_connection() : make_pipe();
  DescriptorOutput output(std::move(ends.writer), "the-output");
  output.add(line_of(1, 100));
  require_flush(output, Progress::kDone);
  ends.reader.reset();
  output.add(line_of(2, 100));
  const base::Error error = error_of_flush(output);
  INFO(error.text());
  CHECK(is_final(error));
  CHECK_THAT(error.text(), ContainsSubstring("the-output"));
  CHECK(is_final(error_of_flush(output)));
}

TEST_CASE("a reader that goes while the pipe is full is a final error too", "[unit]") {
  const Ignored ignored(SIGPIPE);
  Ends ends = make_pipe(4096);
  DescriptorOutput output(std::move(ends.writer), "pipe");
  output.add(line_of(1, 100'000));
  require_flush(output, Progress::kWaiting);
  ends.reader.reset();
  CHECK(is_final(error_of_flush(output)));
}

TEST_CASE("which errors are final", "[unit]") {
  for (const int gone : {EPIPE, ECONNRESET, EBADF}) CHECK(is_final(base::Error::from_errno(gone, "write")));
  for (const int passing : {ENOSPC, EDQUOT, EFBIG, EIO, ENOMEM})
    CHECK_FALSE(is_final(base::Error::from_errno(passing, "write")));
  CHECK_FALSE(is_final(base::Error(base::ErrorCode::kIo, "no errno at all")));
  CHECK(is_final(base::Error::from_errno(EPIPE, "write").during("flush")));
}

// ---- disks that are full

TEST_CASE("a full disk is an error that passes; when there is room, every byte is still there", "[unit]") {
  const TempDir directory;
  const int fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  DescriptorOutput output(base::UniqueFd(fd), "/dev/full");
  std::string all;
  for (std::size_t number = 0; number < 700; ++number) {  // enough that add() tries to write by itself
    all += line_of(number, 1000);
    output.add(line_of(number, 1000));
  }
  for (int attempt = 0; attempt < 3; ++attempt) {
    const base::Error error = error_of_flush(output);
    CHECK(error.sys_errno() == ENOSPC);
    CHECK(error.code() == base::ErrorCode::kResource);
    CHECK_FALSE(is_final(error));
    CHECK_THAT(error.text(), ContainsSubstring("/dev/full"));
  }
  const base::UniqueFd room(::open(directory.file("room").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::dup3(room.get(), fd, O_CLOEXEC) == fd);  // the same output, on a disk with room
  require_flush(output, Progress::kDone);
  CHECK((read_file(directory.file("room")) == all));
}

TEST_CASE("/dev/full by its name can be opened and says that it is full", "[unit]") {
  DescriptorOutput output = open_output("/dev/full");
  output.add("one\n");
  CHECK(error_of_flush(output).sys_errno() == ENOSPC);
}

TEST_CASE("a disk that fills up in the midst of a line: what is out is not written twice", "[unit]") {
  const TempDir directory;
  DescriptorOutput output = open_output(directory.file("records"));
  std::string all;
  for (std::size_t number = 0; number < 50; ++number) all += line_of(number, 1000);
  {
    const FileSizeLimit limit(10'500);
    output.add(all);
    const base::Error error = error_of_flush(output);
    CHECK(error.sys_errno() == EFBIG);
    CHECK_FALSE(is_final(error));
    CHECK(read_file(directory.file("records")) == all.substr(0, 10'500));
    CHECK(error_of_flush(output).sys_errno() == EFBIG);
  }
  output.add("last\n");
  require_flush(output, Progress::kDone);
  CHECK((read_file(directory.file("records")) == all + "last\n"));
}

}  // namespace
}  // namespace flowtally::app
