// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace dsm::os {
namespace {

constexpr mode_t kFolderMode = 0700, kFileMode = 0600;

Error failed(const std::string& doing, const std::string& path, int code = errno) { return system_error(doing + " " + path, code); }

Status make_one(const std::string& path) {
  if (::mkdir(path.c_str(), kFolderMode) < 0) return errno == EEXIST ? success() : Status(failed("cannot make the folder", path));
  const size_t slash = path.find_last_of('/');
  auto parent = Folder::open(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
  return parent.ok() ? parent->sync() : Status(parent.error());
}

int write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return 0;
}

}  // namespace

Result<Folder> Folder::open(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed("cannot open the folder", path);
  return Folder(std::move(fd), path);
}

Result<Folder> Folder::create(const std::string& path) {
  for (size_t at = 1; at < path.size(); ++at) {
    if (path[at] != '/') continue;
    if (auto made = make_one(path.substr(0, at)); !made.ok()) return made.error();
  }
  if (auto made = make_one(path); !made.ok()) return made.error();
  return open(path);
}

Status Folder::lock_exclusively() {
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return success();
  if (errno == EWOULDBLOCK) return Error{"another process is writing in the folder " + path_, EWOULDBLOCK};
  return failed("cannot lock the folder", path_);
}

Result<std::vector<std::string>> Folder::list() const {
  const int copy = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return failed("cannot read the folder", path_);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy), ::closedir);
  if (!stream) {
    const int code = errno;
    ::close(copy);
    return failed("cannot read the folder", path_, code);
  }
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno != 0) return failed("cannot read the folder", path_);
  std::sort(names.begin(), names.end());
  return names;
}

Result<uint64_t> Folder::bytes_of(const std::string& name) const {
  struct stat status;
  if (::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) return failed("cannot look at", path_of(name));
  if (!S_ISREG(status.st_mode)) return Error{path_of(name) + " is not a regular file", EINVAL};
  return static_cast<uint64_t>(status.st_size);
}

Status Folder::read_exactly(const std::string& name, std::span<std::byte> into) const {
  Fd fd(::openat(fd_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return failed("cannot open", path_of(name));
  while (!into.empty()) {
    const ssize_t n = ::read(fd.get(), into.data(), into.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("cannot read", path_of(name));
    if (n == 0) return Error{path_of(name) + " is too short", EIO};
    into = into.subspan(static_cast<size_t>(n));
  }
  return success();
}

// The size first: open() of a FIFO for reading would succeed, and is none of our files.
Result<std::vector<std::byte>> Folder::read_file(const std::string& name, uint64_t limit) const {
  auto bytes = bytes_of(name);
  if (!bytes.ok()) return bytes.error();
  if (*bytes > limit) return Error{path_of(name) + " is larger than such a file can be", EFBIG};
  std::vector<std::byte> content(static_cast<size_t>(*bytes));
  if (auto read = read_exactly(name, content); !read.ok()) return read.error();
  return content;
}

Status Folder::read_front(const std::string& name, std::span<std::byte> into) const {
  auto bytes = bytes_of(name);
  return bytes.ok() ? read_exactly(name, into) : Status(bytes.error());
}

Status Folder::write_file(const std::string& name, std::span<const std::byte> bytes) const {
  const std::string temporary = name + ".tmp";
  Fd fd(::openat(fd_.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kFileMode));
  if (!fd) return failed("cannot create", path_of(temporary));
  int code = write_all(fd.get(), bytes);
  if (code == 0 && ::fdatasync(fd.get()) < 0) code = errno;
  if (code == 0 && ::renameat(fd_.get(), temporary.c_str(), fd_.get(), name.c_str()) < 0) code = errno;
  if (code != 0) {
    ::unlinkat(fd_.get(), temporary.c_str(), 0);
    return failed("cannot write", path_of(name), code);
  }
  return sync();
}

Status Folder::rename(const std::string& from, const std::string& to) const {
  if (::renameat(fd_.get(), from.c_str(), fd_.get(), to.c_str()) < 0) return failed("cannot rename " + path_of(from) + " to", to);
  return success();
}

Status Folder::remove(const std::string& name) const {
  if (::unlinkat(fd_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return success();
  return failed("cannot remove", path_of(name));
}

Status Folder::remove_folder(const std::string& name) const {
  if (::unlinkat(fd_.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return success();
  return failed("cannot remove the folder", path_of(name));
}

Status Folder::sync() const {
  if (::fsync(fd_.get()) == 0) return success();
  return failed("cannot make durable the folder", path_);
}

}  // namespace dsm::os
