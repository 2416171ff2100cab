#include "support/faulty_fs.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace flowtally::test {
namespace {

using base::Error;
using base::fail;
using base::Result;
using base::Status;

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool changes(Operation operation) {
  return operation != Operation::kOpen && operation != Operation::kRead && operation != Operation::kList;
}

}  // namespace

class FaultyFs::OpenFile final : public journal::File {
 public:
  OpenFile(FaultyFs& files, std::string path, InodePtr inode)
      : files_(files), path_(std::move(path)), inode_(std::move(inode)), life_(files.life_) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> bytes) override {
    const std::lock_guard guard(files_.mutex_);
    if (auto error = fails(Operation::kRead)) return fail(std::move(*error));
    if (offset >= inode_->bytes.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(bytes.size(), inode_->bytes.size() - offset);
    inode_->bytes.copy(bytes.data(), count, offset);
    return count;
  }

  Result<std::size_t> write_at(std::uint64_t offset, std::string_view bytes) override {
    const std::lock_guard guard(files_.mutex_);
    if (auto error = fails(Operation::kWrite)) return fail(std::move(*error));
    std::size_t count = bytes.size();
    const bool dies = files_.operations_ == files_.crash_at_;
    if ((files_.short_writes_ || dies) && count > 1) count = 1 + files_.random_() % count;
    const std::uint64_t end = offset + count;
    const std::uint64_t more = end > inode_->bytes.size() ? end - inode_->bytes.size() : 0;
    const std::uint64_t used = files_.used();
    const std::uint64_t room = files_.capacity_ > used ? files_.capacity_ - used : 0;
    if (more > room) {
      const std::uint64_t missing = more - room;
      if (missing >= count) return fail(Error::from_errno(ENOSPC, "write " + path_));
      count -= static_cast<std::size_t>(missing);
    }
    Change change{.offset = offset, .bytes = std::string(bytes.substr(0, count))};
    apply(inode_->bytes, change, count);
    inode_->changes.push_back(std::move(change));
    if (dies) files_.crashed_ = true;
    return count;
  }

  Status truncate(std::uint64_t size) override {
    const std::lock_guard guard(files_.mutex_);
    if (auto error = fails(Operation::kTruncate)) return fail(std::move(*error));
    inode_->changes.push_back({.offset = size, .bytes = {}, .truncate = true});
    apply(inode_->bytes, inode_->changes.back(), 0);
    return {};
  }

  Status sync() override {
    const std::lock_guard guard(files_.mutex_);
    if (auto error = fails(Operation::kSync)) return fail(std::move(*error));
    inode_->durable = inode_->bytes;
    inode_->changes.clear();
    return {};
  }

  Result<std::uint64_t> size() override {
    const std::lock_guard guard(files_.mutex_);
    if (auto error = fails(Operation::kOpen)) return fail(std::move(*error));
    return inode_->bytes.size();
  }

  Result<bool> has_name() override {
    const std::lock_guard guard(files_.mutex_);
    if (auto error = fails(Operation::kOpen)) return fail(std::move(*error));
    return inode_->names > 0;
  }

 private:
  std::optional<Error> fails(Operation operation) {
    if (life_ != files_.life_) return Error::from_errno(EIO, "use after a restart " + path_);
    return files_.fails(operation, path_);
  }

  FaultyFs& files_;
  std::string path_;
  InodePtr inode_;
  std::uint64_t life_;
};

class FaultyFs::Lock final : public journal::FileLock {
 public:
  Lock(FaultyFs& files, std::string path) : files_(files), path_(std::move(path)), life_(files.life_) {}
  ~Lock() override {
    const std::lock_guard guard(files_.mutex_);
    if (life_ == files_.life_) files_.locks_.erase(path_);
  }

 private:
  FaultyFs& files_;
  std::string path_;
  std::uint64_t life_;
};

void FaultyFs::set_fault(Fault fault) {
  const std::lock_guard guard(mutex_);
  fault_ = std::move(fault);
}

void FaultyFs::set_capacity(std::uint64_t bytes) {
  const std::lock_guard guard(mutex_);
  capacity_ = bytes;
}

void FaultyFs::set_short_writes(bool on) {
  const std::lock_guard guard(mutex_);
  short_writes_ = on;
}

std::uint64_t FaultyFs::operations() const {
  const std::lock_guard guard(mutex_);
  return operations_;
}

void FaultyFs::crash_at(std::uint64_t operation) {
  const std::lock_guard guard(mutex_);
  crash_at_ = operation;
}

bool FaultyFs::crashed() const {
  const std::lock_guard guard(mutex_);
  return crashed_;
}

std::optional<Error> FaultyFs::fails(Operation operation, const std::string& path) {
  if (crashed_) return Error::from_errno(EIO, "the machine is dead: " + path);
  if (changes(operation)) {
    ++operations_;
    // A write dies in the middle by itself; anything else dies before it does anything.
    if (operations_ == crash_at_ && operation != Operation::kWrite) {
      crashed_ = true;
      return Error::from_errno(EIO, "the machine dies: " + path);
    }
  }
  if (!fault_) return std::nullopt;
  const auto number = fault_(operation, path);
  return number ? std::optional(Error::from_errno(*number, "fault at " + path)) : std::nullopt;
}

void FaultyFs::apply(std::string& bytes, const Change& change, std::size_t length) {
  if (change.truncate) {
    bytes.resize(change.offset);
    return;
  }
  if (bytes.size() < change.offset + length) bytes.resize(change.offset + length);
  bytes.replace(change.offset, length, change.bytes, 0, length);
}

std::uint64_t FaultyFs::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, inode] : names_) bytes += inode->bytes.size();
  return bytes;
}

void FaultyFs::set_name(const std::string& path, InodePtr inode) {
  if (const auto old = names_.find(path); old != names_.end()) {
    --old->second->names;
    names_.erase(old);
  }
  if (!inode) return;
  ++inode->names;
  names_[path] = std::move(inode);
}

void FaultyFs::change_names(std::vector<std::pair<std::string, InodePtr>> names) {
  for (const auto& [path, inode] : names) set_name(path, inode);
  const std::string directory = directory_of(names.front().first);
  name_changes_.push_back({.directory = directory, .names = std::move(names)});
}

/// Each change arrived whole, in part or not at all; a write beyond a lost one leaves zeros between.
void FaultyFs::settle(Inode& inode) {
  for (const Change& change : inode.changes) {
    const std::uint64_t fate = random_() % 3;
    if (fate == 0) continue;
    const std::size_t length =
        fate == 1 || change.bytes.empty() ? change.bytes.size() : random_() % change.bytes.size();
    apply(inode.durable, change, length);
  }
  inode.changes.clear();
  inode.bytes = inode.durable;
}

void FaultyFs::restart() {
  const std::lock_guard guard(mutex_);
  // Names arrive in order, up to some point of each directory.
  std::map<std::string, std::uint64_t> left;
  for (const NameChange& change : name_changes_) ++left[change.directory];
  for (auto& [directory, count] : left) count = random_() % (count + 1);
  for (const NameChange& change : name_changes_) {
    if (left[change.directory] == 0) continue;
    --left[change.directory];
    for (const auto& [path, inode] : change.names) {
      if (inode) {
        durable_names_[path] = inode;
      } else {
        durable_names_.erase(path);
      }
    }
  }
  name_changes_.clear();
  for (auto& [path, inode] : names_) inode->names = 0;
  names_ = durable_names_;
  for (auto& [path, inode] : names_) {
    inode->names = 1;
    settle(*inode);
  }
  locks_.clear();
  crashed_ = false;
  crash_at_ = UINT64_MAX;
  ++life_;
}

void FaultyFs::restart_process() {
  const std::lock_guard guard(mutex_);
  locks_.clear();
  crashed_ = false;
  crash_at_ = UINT64_MAX;
  ++life_;
}

std::string FaultyFs::read(const std::string& path) const {
  const std::lock_guard guard(mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? std::string() : found->second->bytes;
}

bool FaultyFs::has(const std::string& path) const {
  const std::lock_guard guard(mutex_);
  return names_.contains(path);
}

std::vector<std::string> FaultyFs::paths() const {
  const std::lock_guard guard(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_) paths.push_back(path);
  return paths;
}

void FaultyFs::write(const std::string& path, std::string bytes) {
  const std::lock_guard guard(mutex_);
  auto inode = std::make_shared<Inode>(Inode{.bytes = bytes, .durable = std::move(bytes), .changes = {}});
  durable_names_[path] = inode;
  set_name(path, std::move(inode));
}

void FaultyFs::erase(const std::string& path) {
  const std::lock_guard guard(mutex_);
  set_name(path, nullptr);
  durable_names_.erase(path);
}

void FaultyFs::damage(const std::string& path, std::size_t offset) {
  const std::lock_guard guard(mutex_);
  Inode& inode = *names_.at(path);
  char& byte = inode.bytes.at(offset);
  byte = static_cast<char>(byte ^ 0x55);
  inode.durable = inode.bytes;
  inode.changes.clear();
}

Result<std::unique_ptr<journal::File>> FaultyFs::open(const std::string& path, journal::OpenMode mode) {
  const std::lock_guard guard(mutex_);
  const bool create = mode == journal::OpenMode::kCreate;
  if (auto error = fails(create ? Operation::kCreate : Operation::kOpen, path))
    return fail(std::move(*error));
  auto found = names_.find(path);
  if (found == names_.end()) {
    if (!create) return fail(Error::from_errno(ENOENT, "open " + path));
    change_names({{path, std::make_shared<Inode>()}});
    found = names_.find(path);
  } else if (create) {
    found->second->changes.push_back({.offset = 0, .bytes = {}, .truncate = true});
    found->second->bytes.clear();
  }
  return std::make_unique<OpenFile>(*this, path, found->second);
}

Status FaultyFs::rename(const std::string& from, const std::string& to) {
  const std::lock_guard guard(mutex_);
  if (auto error = fails(Operation::kRename, from)) return fail(std::move(*error));
  const auto found = names_.find(from);
  if (found == names_.end()) return fail(Error::from_errno(ENOENT, "rename " + from));
  change_names({{to, found->second}, {from, nullptr}});
  return {};
}

Status FaultyFs::remove(const std::string& path) {
  const std::lock_guard guard(mutex_);
  if (auto error = fails(Operation::kRemove, path)) return fail(std::move(*error));
  if (!names_.contains(path)) return fail(Error::from_errno(ENOENT, "remove " + path));
  change_names({{path, nullptr}});
  return {};
}

Result<std::vector<std::string>> FaultyFs::list(const std::string& directory) {
  const std::lock_guard guard(mutex_);
  if (auto error = fails(Operation::kList, directory)) return fail(std::move(*error));
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_) {
    if (directory_of(path) == directory) names.push_back(path.substr(directory.size() + 1));
  }
  return names;
}

Status FaultyFs::make_directory(const std::string& directory) {
  const std::lock_guard guard(mutex_);
  if (auto error = fails(Operation::kMakeDirectory, directory)) return fail(std::move(*error));
  return {};
}

Status FaultyFs::sync_directory(const std::string& directory) {
  const std::lock_guard guard(mutex_);
  if (auto error = fails(Operation::kSyncDirectory, directory)) return fail(std::move(*error));
  std::erase_if(name_changes_, [&](const NameChange& change) {
    if (change.directory != directory) return false;
    for (const auto& [path, inode] : change.names) {
      if (inode) {
        durable_names_[path] = inode;
      } else {
        durable_names_.erase(path);
      }
    }
    return true;
  });
  return {};
}

Result<std::unique_ptr<journal::FileLock>> FaultyFs::lock(const std::string& path) {
  const std::lock_guard guard(mutex_);
  if (crashed_) return fail(Error::from_errno(EIO, "the machine is dead: " + path));
  if (!locks_.try_emplace(path, true).second)
    return fail(Error(base::ErrorCode::kResource, path + " is held by process 4711"));
  return std::make_unique<Lock>(*this, path);
}

Result<base::UniqueFd> FaultyFs::watch(const std::string& directory) {
  return fail(Error(base::ErrorCode::kUnsupported, "nothing tells of changes in " + directory));
}

}  // namespace flowtally::test
