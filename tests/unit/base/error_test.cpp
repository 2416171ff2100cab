#include "base/error.hpp"

#include <cerrno>
#include <utility>

#include "base/result.hpp"
#include "support/catch.hpp"

namespace flowtally::base {
namespace {

TEST_CASE("an error says what failed", "[unit]") {
  const Error error(ErrorCode::kNotFound, "interface tailscale0 is not there");
  CHECK(error.code() == ErrorCode::kNotFound);
  CHECK(error.sys_errno() == 0);
  CHECK(error.text() == "interface tailscale0 is not there");
}

TEST_CASE("the outermost step is read first, then the cause, then the advice", "[unit]") {
  const Error error = Error::from_errno(EACCES, "open /sys/fs/bpf/flowtally")
                          .during("pin the maps")
                          .during("start")
                          .advise("Run it as root");
  CHECK(error.text() ==
        "start: pin the maps: open /sys/fs/bpf/flowtally: Permission denied. Run it as root.");
  CHECK(error.code() == ErrorCode::kPermission);
  CHECK(error.sys_errno() == EACCES);
}

TEST_CASE("the innermost advice stays, because it knows most", "[unit]") {
  const Error error =
      Error(ErrorCode::kResource, "no room").advise("Make room").during("write").advise("Try again");
  CHECK(error.remedy() == "Make room");
  CHECK(error.text() == "write: no room. Make room.");
}

TEST_CASE("steps added after the advice stand before it all the same", "[unit]") {
  CHECK(Error(ErrorCode::kIo, "what").advise("Do this").during("inner").during("outer").text() ==
        "outer: inner: what. Do this.");
}

TEST_CASE("errno values become codes to decide by", "[unit]") {
  struct Case {
    int sys_errno;
    ErrorCode code;
  };
  const auto row = GENERATE(Case{EINVAL, ErrorCode::kInvalidArgument}, Case{ENODEV, ErrorCode::kNotFound},
                            Case{EPERM, ErrorCode::kPermission}, Case{EROFS, ErrorCode::kPermission},
                            Case{EOPNOTSUPP, ErrorCode::kUnsupported}, Case{524, ErrorCode::kUnsupported},
                            Case{ENOSPC, ErrorCode::kResource}, Case{E2BIG, ErrorCode::kResource},
                            Case{EIO, ErrorCode::kIo});
  INFO(row.sys_errno);
  CHECK(code_of_errno(row.sys_errno) == row.code);
}

TEST_CASE("the kernel's own ENOTSUPP has words, which the C library has not", "[unit]") {
  CHECK(Error::from_errno(524, "attach").text() == "attach: Operation not supported by this kernel");
  CHECK(errno_text(ENOENT) == "No such file or directory");
}

TEST_CASE("fail() carries an error out of a function with any result", "[unit]") {
  const auto refuse = []() -> Result<int> { return fail(Error(ErrorCode::kIo, "gone")); };
  const auto refuse_status = []() -> Status { return fail(Error(ErrorCode::kIo, "gone").during("read")); };
  CHECK(refuse().error().text() == "gone");
  CHECK(refuse_status().error().text() == "read: gone");
}

}  // namespace
}  // namespace flowtally::base
