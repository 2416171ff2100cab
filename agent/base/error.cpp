#include "base/error.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

namespace flowtally::base {

ErrorCode code_of_errno(int sys_errno) noexcept {
  switch (sys_errno) {
    case EINVAL:
    case ENAMETOOLONG:
    case EDOM: return ErrorCode::kInvalidArgument;
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH: return ErrorCode::kNotFound;
    case EPERM:
    case EACCES:
    case EROFS: return ErrorCode::kPermission;
    case ENOSYS:
    case EOPNOTSUPP:
    case ENOPROTOOPT:
    case EAFNOSUPPORT:
    case 524: return ErrorCode::kUnsupported;  // ENOTSUPP, kernel-internal but visible through bpf(2)
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case E2BIG:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case EBUSY: return ErrorCode::kResource;
    default: return ErrorCode::kIo;
  }
}

std::string errno_text(int sys_errno) {
  if (sys_errno == 524) return "Operation not supported by this kernel";
  return std::generic_category().message(sys_errno);
}

Error Error::from_errno(int sys_errno, std::string what) {
  Error error(code_of_errno(sys_errno), std::move(what));
  error.sys_errno_ = sys_errno;
  return error;
}

Error Error::during(std::string step) && {
  steps_.push_back(std::move(step));
  return std::move(*this);
}

Error Error::advise(std::string remedy) && {
  if (remedy_.empty()) remedy_ = std::move(remedy);
  return std::move(*this);
}

std::string Error::text() const {
  std::string out;
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    out += *step;
    out += ": ";
  }
  out += what_;
  if (sys_errno_ != 0) {
    out += ": ";
    out += errno_text(sys_errno_);
  }
  if (!remedy_.empty()) {
    out += ". ";
    out += remedy_;
    out += '.';
  }
  return out;
}

}  // namespace flowtally::base
