// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/solo_agent.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace dsm::tests {
namespace {

constexpr int kExitContract = 3;

[[noreturn]] void contract_broken(const char* what, uint64_t start, uint64_t length) {
  fprintf(stderr, "the runtime: contract broken: %s %lx+%lx\n", what, start, length);
  _exit(kExitContract);
}

struct Extent {
  uint64_t offset, bytes;
};

[[noreturn]] void give_up(const std::string& what) {
  perror(what.c_str());
  _exit(1);
}

void write_all(int fd, const void* from, size_t bytes) {
  for (const char* at = static_cast<const char*>(from); bytes > 0;) {
    const ssize_t done = write(fd, at, bytes);
    if (done <= 0) give_up("write of a checkpoint");
    at += done;
    bytes -= static_cast<size_t>(done);
  }
}

bool read_all(int fd, void* to, size_t bytes) {
  for (char* at = static_cast<char*>(to); bytes > 0;) {
    const ssize_t done = read(fd, at, bytes);
    if (done < 0) give_up("read of a checkpoint");
    if (done == 0) return false;
    at += done;
    bytes -= static_cast<size_t>(done);
  }
  return true;
}

int open_file(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) give_up(path);
  return fd;
}

constexpr size_t kPieceBytes = 1 << 20;

}  // namespace

void Ranges::add(uint64_t start, uint64_t end) {
  auto next = range_.lower_bound(start);
  if (next != range_.end() && next->first < end) contract_broken("added twice", start, end - start);
  if (next != range_.begin() && std::prev(next)->second > start) contract_broken("added twice", start, end - start);
  range_[start] = end;
}

void Ranges::remove(uint64_t start, uint64_t end) {
  auto at = range_.lower_bound(start);
  if (at != range_.begin() && std::prev(at)->second > start) --at;
  while (at != range_.end() && at->first < end) {
    const auto [from, to] = *at;
    at = range_.erase(at);
    if (from < start) range_[from] = start;
    if (to > end) range_[end] = to;
  }
}

bool Ranges::covers(uint64_t start, uint64_t end) const {
  while (start < end) {
    auto next = range_.upper_bound(start);
    if (next == range_.begin() || std::prev(next)->second <= start) return false;
    start = std::prev(next)->second;
  }
  return true;
}

void SoloAgent::on_control() {
  abi::Packet packet = {};
  char rights[CMSG_SPACE(4 * sizeof(int))];
  iovec vector = {&packet, sizeof packet};
  msghdr message = {};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = rights;
  message.msg_controllen = sizeof rights;
  const ssize_t got = recvmsg(control_, &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) {
    closed_ = true;
    return;
  }
  std::vector<int> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
      fds.push_back(reinterpret_cast<int*>(CMSG_DATA(c))[i]);
  requests_++;
  handle(packet, fds);
  for (int fd : fds) close(fd);
  if (silent_ && kept_ > 0) return;
  if (send(control_, &packet, sizeof packet, MSG_NOSIGNAL) < 0) closed_ = true;
}

void SoloAgent::on_faults() {
  uffd_msg event[16];
  const ssize_t got = read(userfault_, event, sizeof event);
  for (ssize_t i = 0; i < got / static_cast<ssize_t>(sizeof event[0]); i++) {
    const uint64_t page = event[i].arg.pagefault.address & ~(abi::kPageSize - 1);
    const uint64_t flags = event[i].arg.pagefault.flags;
    faults_++;
    if ((flags & UFFD_PAGEFAULT_FLAG_MINOR) != 0) {
      uffdio_continue request = {{page, abi::kPageSize}, 0, 0};
      if (ioctl(userfault_, UFFDIO_CONTINUE, &request) != 0 && errno == EEXIST) wake(page);
    } else if ((flags & UFFD_PAGEFAULT_FLAG_WP) != 0) {
      uffdio_writeprotect request = {{page, abi::kPageSize}, 0};
      ioctl(userfault_, UFFDIO_WRITEPROTECT, &request);
    } else {
      contract_broken("missing fault in a native block at", page, abi::kPageSize);
    }
  }
}

void SoloAgent::handle(abi::Packet& packet, std::vector<int>& fds) {
  switch (packet.op) {
    case abi::Op::kHello:
      if (fds.size() != 3 || packet.hello.version != abi::kVersion) contract_broken("hello", fds.size(), 0);
      userfault_ = fds[0];
      memory_ = fds[1];
      fds.erase(fds.begin(), fds.begin() + 2);
      if (!load_folder_.empty()) load_pages(load_folder_ + "/pages", memory_);
      load_folder_.clear();   // an execve begins with empty memory
      packet.op = abi::Op::kWelcome;
      welcome(packet.welcome, packet.hello.pid);
      return;
    case abi::Op::kProcessImage: {
      const int64_t status = fds.size() == 1 ? keep(fds[0]) : -EBADF;
      packet.op = abi::Op::kReply;
      packet.reply.status = status;
      return;
    }
    case abi::Op::kStats:
      packet.op = abi::Op::kReplyStats;
      packet.stats = {};
      packet.stats.read_faults = faults_;
      return;
    default:
      break;
  }
  const int64_t status = change(packet);
  packet.op = abi::Op::kReply;
  packet.reply.status = status;
}

void SoloAgent::welcome(abi::Welcome& welcome, int pid) const {
  welcome = {};
  welcome.version = abi::kVersion;
  welcome.nodes = welcome.hosts = 1;
  welcome.total_cpus = cpus_;
  welcome.app_pid = pid;
  welcome.place = abi::kPlaceLocal;
  welcome.cpus_of_node[0] = cpus_;
}

int64_t SoloAgent::change(const abi::Packet& packet) {
  const uint64_t start = packet.range.start, length = packet.range.length;
  switch (packet.op) {
    case abi::Op::kMapAdd: {
      ranges_.add(start, start + length);
      if (packet.map_add.kind != abi::MapKind::kPrivate) return 0;
      uffdio_register request = {{start, length}, UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP, 0};
      return ioctl(userfault_, UFFDIO_REGISTER, &request) == 0 ? 0 : -errno;
    }
    case abi::Op::kMapProtect:
      if (!ranges_.covers(start, start + length)) contract_broken("protected but not added", start, length);
      return 0;
    case abi::Op::kMapDrop:
      if (!ranges_.covers(start, start + length)) contract_broken("dropped but not added", start, length);
      return punch(start, length);
    case abi::Op::kMapRemove:
      ranges_.remove(start, start + length);
      return punch(start, length);
    case abi::Op::kExecBegin:
      ranges_.clear();
      close(userfault_);
      close(memory_);
      userfault_ = memory_ = -1;
      return 0;
    case abi::Op::kPinned:
      return punch(start, length);
    case abi::Op::kPin:
    case abi::Op::kFreeze:
    case abi::Op::kThaw:
      return 0;
    default:
      return -ENOSYS;
  }
}

int64_t SoloAgent::punch(uint64_t start, uint64_t length) const {
  const auto offset = static_cast<off_t>(start), bytes = static_cast<off_t>(length);
  return fallocate(memory_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) == 0 ? 0 : -errno;
}

void SoloAgent::wake(uint64_t page) const {
  uffdio_range range = {page, abi::kPageSize};
  ioctl(userfault_, UFFDIO_WAKE, &range);
}

// ---- Checkpoints ---------------------------------------------------------------------------------------------------

int64_t SoloAgent::keep(int image) {
  if (keep_folder_.empty()) return -EOPNOTSUPP;
  std::vector<char> piece(kPieceBytes);
  const int process = open_file(keep_folder_ + "/process", O_WRONLY | O_CREAT | O_TRUNC);
  off_t at = 0;
  for (ssize_t got; (got = pread(image, piece.data(), piece.size(), at)) > 0; at += got) write_all(process, piece.data(), static_cast<size_t>(got));
  close(process);
  const int pages = open_file(keep_folder_ + "/pages", O_WRONLY | O_CREAT | O_TRUNC);
  off_t data = 0;
  while ((data = lseek(memory_, data, SEEK_DATA)) >= 0) {
    const off_t hole = lseek(memory_, data, SEEK_HOLE);
    const Extent extent = {static_cast<uint64_t>(data), static_cast<uint64_t>(hole - data)};
    write_all(pages, &extent, sizeof extent);
    while (data < hole) {
      const size_t want = std::min<size_t>(piece.size(), static_cast<size_t>(hole - data));
      const ssize_t got = pread(memory_, piece.data(), want, data);
      if (got <= 0) give_up("read of the program's memory");
      write_all(pages, piece.data(), static_cast<size_t>(got));
      data += got;
    }
  }
  close(pages);
  kept_++;
  return 0;
}

void load_pages(const std::string& path, int memory) {
  std::vector<char> piece(kPieceBytes);
  const int pages = open_file(path, O_RDONLY);
  Extent extent;
  while (read_all(pages, &extent, sizeof extent)) {
    while (extent.bytes > 0) {
      const size_t bytes = std::min<size_t>(piece.size(), extent.bytes);
      if (!read_all(pages, piece.data(), bytes)) give_up("the pages of the checkpoint end too early");
      if (pwrite(memory, piece.data(), bytes, static_cast<off_t>(extent.offset)) != static_cast<ssize_t>(bytes)) give_up("write of the program's memory");
      extent.offset += bytes;
      extent.bytes -= bytes;
    }
  }
  close(pages);
}

}  // namespace dsm::tests
