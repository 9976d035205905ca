// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/agent_pair_runtime.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "libdsm/os/memfd.h"
#include "libdsm/os/seqpacket.h"
#include "libdsm/os/stream.h"
#include "libdsm/os/uffd.h"

namespace agent_pair {

using namespace dsm;

void give_up(const std::string& what) {
  std::fprintf(stderr, "agent_pair[%d]: %s (%s)\n", ::getpid(), what.c_str(), std::strerror(errno));
  ::_exit(3);
}

abi::Packet FakeRuntime::call(abi::Packet request, std::vector<int> fds, std::vector<os::Fd>* received) {
  request.serial = ++serial_;
  if (os::send_packet(socket_, std::as_bytes(std::span(&request, 1)), fds) != 0) give_up("send to the agent");
  abi::Packet reply;
  std::vector<os::Fd> got;
  if (os::receive_packet(socket_, std::as_writable_bytes(std::span(&reply, 1)), &got) != sizeof reply)
    give_up("no reply of the agent");
  if (reply.serial != request.serial) give_up("reply to another request");
  if (received) *received = std::move(got);
  return reply;
}

void FakeRuntime::range_call(abi::Op op, uint64_t address, uint64_t bytes) {
  abi::Packet p{};
  p.op = op;
  p.range = {address, bytes};
  if (call(p, {}, nullptr).reply.status != 0) give_up("range request refused");
}

abi::Welcome FakeRuntime::hello() {
  uint64_t features;
  int error;
  uffd_ = os::open_own_uffd(&features, &error);
  if (!uffd_) give_up("userfaultfd");
  memfd_.reset(::memfd_create("agent-pair", MFD_CLOEXEC));
  os::Fd board(::memfd_create("agent-pair-board", MFD_CLOEXEC));
  if (::ftruncate(memfd_.get(), static_cast<off_t>(abi::kUserEnd)) || ::ftruncate(board.get(), sizeof(abi::Board)))
    give_up("ftruncate");
  board_ = static_cast<abi::Board*>(
      ::mmap(nullptr, sizeof(abi::Board), PROT_READ | PROT_WRITE, MAP_SHARED, board.get(), 0));
  board_->high_water = board_->threads_ever = 1;
  board_->slot[0].tid = board_->slot[0].kernel_tid = static_cast<uint32_t>(::getpid());
  board_->slot[0].state = abi::ThreadState::kRunning;
  abi::Packet p{};
  p.op = abi::Op::kHello;
  p.hello = {abi::kVersion, ::getpid(), 0};
  abi::Packet reply = call(p, {uffd_.get(), memfd_.get(), board.get()}, nullptr);
  if (reply.op != abi::Op::kWelcome) give_up("no Welcome");
  return reply.welcome;
}

void FakeRuntime::map_flat() {
  void* at = ::mmap(reinterpret_cast<void*>(kRegion), kRegionBytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_NORESERVE | MAP_FIXED, memfd_.get(), kRegion);
  if (at == MAP_FAILED) give_up("mmap");
  os::Uffd uffd(os::Fd(::dup(uffd_.get())), true);
  if (uffd.register_range(kRegion, kRegionBytes, os::Uffd::Mode::kTracked) != 0) give_up("register");
}

void FakeRuntime::ready() {
  abi::Packet p{};
  p.op = abi::Op::kReady;
  if (os::send_packet(socket_, std::as_bytes(std::span(&p, 1))) != 0) give_up("ready");
}

void FakeRuntime::map(uint64_t address, uint64_t bytes, uint32_t prot, abi::MapKind kind, int file, uint64_t file_bytes) {
  bool native = kind != abi::MapKind::kPrivate;
  void* at = ::mmap(reinterpret_cast<void*>(address), bytes, native ? PROT_READ : PROT_NONE,
                    MAP_FIXED | (native ? MAP_PRIVATE : MAP_SHARED | MAP_NORESERVE), native ? file : memfd_.get(),
                    native ? 0 : static_cast<off_t>(address));
  if (at == MAP_FAILED) give_up("mmap");
  abi::Packet p{};
  p.op = abi::Op::kMapAdd;
  p.map_add = {address, bytes, prot, kind, 0, file_bytes};
  if (call(p, file >= 0 ? std::vector<int>{file} : std::vector<int>{}, nullptr).reply.status != 0) give_up("MapAdd refused");
  if (!native && ::mprotect(at, bytes, static_cast<int>(prot)) != 0) give_up("mprotect");
}

void FakeRuntime::unmap(uint64_t address, uint64_t bytes) {
  if (::munmap(reinterpret_cast<void*>(address), bytes) != 0) give_up("munmap");
  range_call(abi::Op::kMapRemove, address, bytes);
}

void FakeRuntime::protect(uint64_t address, uint64_t bytes, uint32_t prot) {
  abi::Packet p{};
  p.op = abi::Op::kMapProtect;
  p.map_protect = {address, bytes, prot, 0};
  if (call(p, {}, nullptr).reply.status != 0) give_up("MapProtect refused");
  if (::mprotect(reinterpret_cast<void*>(address), bytes, static_cast<int>(prot)) != 0) give_up("mprotect");
}

void FakeRuntime::drop(uint64_t address, uint64_t bytes) { range_call(abi::Op::kMapDrop, address, bytes); }
void FakeRuntime::freeze(uint64_t address, uint64_t bytes) { range_call(abi::Op::kFreeze, address, bytes); }
void FakeRuntime::thaw(uint64_t address, uint64_t bytes) { range_call(abi::Op::kThaw, address, bytes); }

int FakeRuntime::open_channel(uint32_t node) {
  abi::Packet p{};
  p.op = abi::Op::kOpenChannel;
  p.open_channel = {node, 0};
  std::vector<os::Fd> fds;
  if (call(p, {}, &fds).reply.status != 0 || fds.size() != 1) give_up("no channel");
  return fds[0].release();
}

abi::ReplyStats FakeRuntime::stats() {
  abi::Packet p{};
  p.op = abi::Op::kStats;
  return call(p, {}, nullptr).stats;
}

int FakeRuntime::next_channel() {
  abi::Packet p;
  std::vector<os::Fd> fds;
  if (os::receive_packet(socket_, std::as_writable_bytes(std::span(&p, 1)), &fds) != sizeof p) return -1;
  if (p.op != abi::Op::kNewChannel || fds.size() != 1) give_up("unexpected packet in the vessel");
  return fds[0].release();
}

namespace {
bool read_whole(int fd, std::span<std::byte> into) {
  while (!into.empty()) {
    int n = os::read_some(fd, into);
    if (n <= 0) return false;
    into = into.subspan(static_cast<size_t>(n));
  }
  return true;
}
}  // namespace

Answer ask(int channel, const Order& order) {
  Answer answer;
  if (os::write_all(channel, std::as_bytes(std::span(&order, 1))) != 0) give_up("channel write");
  if (!read_whole(channel, std::as_writable_bytes(std::span(&answer, 1)))) give_up("channel closed");
  return answer;
}

void serve_orders(int channel) {
  install_refusal_handler();
  Order order;
  while (read_whole(channel, std::as_writable_bytes(std::span(&order, 1)))) {
    Answer answer = perform(order);
    if (os::write_all(channel, std::as_bytes(std::span(&answer, 1))) != 0) return;
  }
}

void run_vessel(int socket) {
  FakeRuntime runtime(socket);
  runtime.hello();
  runtime.map_flat();
  runtime.ready();
  for (int channel; (channel = runtime.next_channel()) >= 0;)
    std::thread([channel] {
      serve_orders(channel);
      ::close(channel);
    }).detach();
  ::_exit(dsm::abi::kExitOurs);
}

}  // namespace agent_pair
