// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/runtime_service.h"

#include <cerrno>
#include <cstring>

#include "libdsm/base/check.h"
#include "libdsm/os/files.h"
#include "libdsm/os/process.h"

namespace dsm::agent {
namespace {

bool page_aligned(uint64_t start, uint64_t length) {
  return start % kPageBytes == 0 && length % kPageBytes == 0 && length > 0 && start < abi::kUserEnd &&
         length <= abi::kUserEnd - start;
}

PageRange pages_of(uint64_t start, uint64_t length) { return {page_of(start), length / kPageBytes}; }

}  // namespace

RuntimeService::RuntimeService(const Configure& config, const os::KernelFeatures& kernel, Engine& engine,
                               RuntimeServiceHost& host, const Log& log)
    : config_(config), kernel_(kernel), engine_(engine), host_(host), log_(log) {
  if (config.memory_bytes != 0) space_.count_first_touches();
}

void RuntimeService::connect(os::Fd socket) { port_ = RuntimePort(std::move(socket)); }

void RuntimeService::allow_welcome(const abi::Welcome& welcome) {
  welcome_ = welcome;
  send_welcome();
}

void RuntimeService::hold_welcome(bool hold) {
  welcome_held_ = hold;
  send_welcome();
}

// ---- Packets in ----------------------------------------------------------------------------------------------

RuntimeService::Drained RuntimeService::drain() {
  Drained result = Drained::kNothing;
  for (;;) {
    Pending item;
    switch (port_.receive(item.request)) {
      case RuntimePort::Input::kNothing: return result;
      case RuntimePort::Input::kClosed: return Drained::kClosed;
      case RuntimePort::Input::kRequest: break;
    }
    result = Drained::kSome;
    bool answered = false;
    apply_to_map(item.request, item.range, answered);
    if (!answered) pending_.push_back(std::move(item));
  }
}

void RuntimeService::apply_to_map(RuntimeRequest& request, std::optional<RangeWork>& range, bool& answered) {
  const abi::Packet& packet = request.packet;
  auto reply = [&](int64_t status) {
    port_.reply(packet.serial, status);
    answered = true;
  };
  auto whole = [&](wire::RangeOp op) {
    range = RangeWork{packet.serial, packet.op, pages_of(packet.range.start, packet.range.length), op};
  };
  bool about_pin = packet.op == abi::Op::kPin || packet.op == abi::Op::kPinned;
  bool about_map = (packet.op >= abi::Op::kMapAdd && packet.op <= abi::Op::kMapDrop) || about_pin;
  if (about_map && (!is_origin() || !memory_)) return reply(-EINVAL);
  switch (packet.op) {
    case abi::Op::kMapAdd:
      return reply(apply_map_add(request));
    case abi::Op::kMapProtect:
      if (!page_aligned(packet.map_protect.start, packet.map_protect.length)) return reply(-EINVAL);
      range = apply_map_protect(packet);
      if (!range) reply(0);
      return;
    case abi::Op::kMapRemove:
    case abi::Op::kMapDrop:
    case abi::Op::kFreeze:
      if (!page_aligned(packet.range.start, packet.range.length)) return reply(-EINVAL);
      if (packet.op == abi::Op::kMapRemove) space_.remove(packet.range.start, packet.range.length);
      return whole(packet.op == abi::Op::kFreeze ? wire::RangeOp::kRecallShared : wire::RangeOp::kDrop);
    case abi::Op::kPin:
      if (!page_aligned(packet.range.start, packet.range.length)) return reply(-EINVAL);
      if (int error = space_.begin_pin(packet.range.start, packet.range.length, memory_->faults())) return reply(error);
      return whole(wire::RangeOp::kRecallExclusive);
    case abi::Op::kPinned:
      if (!page_aligned(packet.range.start, packet.range.length)) return reply(-EINVAL);
      space_.end_pin(packet.range.start);
      return whole(wire::RangeOp::kDrop);
    case abi::Op::kExecBegin:
      space_.clear();
      range = RangeWork{packet.serial, packet.op, pages_of(abi::kUserBegin, abi::kUserEnd - abi::kUserBegin),
                        wire::RangeOp::kDrop};
      return;
    default:
      return;
  }
}

int RuntimeService::apply_map_add(RuntimeRequest& request) {
  const abi::MapAdd& add = request.packet.map_add;
  if (!page_aligned(add.start, add.length)) return -EINVAL;
  memory::MappedRange range;
  range.start = add.start;
  range.end = add.start + add.length;
  range.protection = add.prot & (abi::kProtRead | abi::kProtWrite | abi::kProtExec);
  switch (add.kind) {
    case abi::MapKind::kPrivate: range.kind = memory::RangeKind::kPrivate; break;
    case abi::MapKind::kFileRead: range.kind = memory::RangeKind::kFileRead; break;
    case abi::MapKind::kPinned: range.kind = memory::RangeKind::kPinned; break;
    default: return -EINVAL;
  }
  range.file_offset = add.file_offset;
  range.file_bytes = add.file_bytes;
  if (!request.fds.empty()) {
    memory::MappedFile file;
    file.path = os::path_of(request.fds.front().get());
    if (range.kind == memory::RangeKind::kFileRead) file.fd = std::move(request.fds.front());
    range.file = std::make_shared<const memory::MappedFile>(std::move(file));
  }
  if (range.kind == memory::RangeKind::kFileRead && !(range.file && range.file->fd)) return -EBADF;
  return space_.add(std::move(range), memory_->faults());
}

std::optional<RuntimeService::RangeWork> RuntimeService::apply_map_protect(const abi::Packet& packet) {
  const abi::MapProtect& change = packet.map_protect;
  OriginSpace::Change lost = space_.protect(change.start, change.length, change.prot);
  // Nobody else has rights in a block that is native still.
  if (lost == OriginSpace::Change::kNothingLost || !space_.any_open(change.start, change.length)) return std::nullopt;
  auto op = lost == OriginSpace::Change::kAllLost ? wire::RangeOp::kRecallExclusive : wire::RangeOp::kRecallShared;
  return RangeWork{packet.serial, packet.op, pages_of(change.start, change.length), op};
}

// ---- Requests ------------------------------------------------------------------------------------------------

void RuntimeService::run_pending(TimeNs now) {
  while (!pending_.empty()) {
    Pending item = std::move(pending_.front());
    pending_.pop_front();
    perform(item, now);
  }
}

void RuntimeService::perform(Pending& item, TimeNs now) {
  const abi::Packet& packet = item.request.packet;
  if (item.range) return begin_range(*item.range, now);
  switch (packet.op) {
    case abi::Op::kHello: return on_hello(item.request);
    case abi::Op::kReady: return on_ready();
    case abi::Op::kThaw: return on_thaw(packet, now);
    case abi::Op::kOpenChannel:
      if (packet.open_channel.node >= config_.nodes || packet.open_channel.node == config_.node.value)
        return port_.reply(packet.serial, -EINVAL);
      return host_.open_channel(NodeId{static_cast<uint16_t>(packet.open_channel.node)}, packet.serial);
    case abi::Op::kCpuTime:
      return is_origin() ? host_.cpu_time_elsewhere(packet.serial) : port_.reply(packet.serial, -EINVAL);
    case abi::Op::kProcessImage:
      if (!is_origin() || !memory_ || item.request.fds.size() != 1) return port_.reply(packet.serial, -EINVAL);
      return host_.keep_process_image(packet.serial, std::move(item.request.fds.front()));
    case abi::Op::kStats: {
      abi::Packet answer{};
      answer.op = abi::Op::kReplyStats;
      answer.serial = packet.serial;
      answer.stats = host_.runtime_stats();
      return port_.send(answer);
    }
    default:
      return host_.runtime_violated("unknown request " + std::to_string(static_cast<uint32_t>(packet.op)));
  }
}

void RuntimeService::on_hello(RuntimeRequest& request) {
  const abi::Hello& hello = request.packet.hello;
  if (hello.version != abi::kVersion)
    return host_.runtime_violated("runtime of another version: " + std::to_string(hello.version) + ", this agent has " +
                                  std::to_string(abi::kVersion));
  if (request.fds.size() != 3) return host_.runtime_violated("Hello without its three descriptors");
  os::set_nonblocking(request.fds[0].get(), true);
  engine_.attach(nullptr, nullptr);
  memory_ = std::make_unique<NodeMemory>(hello.pid, os::Uffd(std::move(request.fds[0]), kernel_.continue_wp),
                                         os::Memfd(std::move(request.fds[1])), is_origin() ? &space_.map() : nullptr);
  earlier_migrations_ += board_.migrations();
  board_ = ThreadBoard(std::move(request.fds[2]));
  engine_.attach(memory_.get(), is_origin() ? &space_ : nullptr);
  hello_serial_ = request.packet.serial;
  host_.runtime_attached(hello.pid);
  send_welcome();
}

void RuntimeService::send_welcome() {
  if (!welcome_ || !hello_serial_ || welcome_held_) return;
  abi::Packet packet{};
  packet.op = abi::Op::kWelcome;
  packet.serial = *hello_serial_;
  packet.welcome = *welcome_;
  if (is_origin()) packet.welcome.app_pid = memory_->pid();
  hello_serial_.reset();
  port_.send(packet);
}

void RuntimeService::on_ready() {
  vessel_ready_ = true;
  std::vector<os::Fd> early = std::move(early_channels_);
  early_channels_.clear();
  for (os::Fd& fd : early) hand_channel(std::move(fd));
  host_.runtime_ready();
}

void RuntimeService::hand_channel(os::Fd fd) {
  if (!vessel_ready_) {
    early_channels_.push_back(std::move(fd));
    return;
  }
  abi::Packet packet{};
  packet.op = abi::Op::kNewChannel;
  std::vector<os::Fd> fds;
  fds.push_back(std::move(fd));
  port_.send(packet, std::move(fds));
}

void RuntimeService::channel_opened(uint32_t serial, Result<os::Fd> stream) {
  if (!stream) {
    // Whoever notices that a node is lost names it once; the streams that end with it are not worth a line each.
    const bool lost = stream.error().code == ECONNRESET || stream.error().code == ENOTCONN;
    const std::string what = "cannot open a channel: " + stream.error().what;
    lost ? log_.info(what) : log_.error(what);
    return port_.reply(serial, stream.error().code > 0 ? -stream.error().code : -ECONNREFUSED);
  }
  port_.reply(serial, 0, std::move(*stream));
}

// ---- Range transactions --------------------------------------------------------------------------------------

void RuntimeService::begin_range(const RangeWork& work, TimeNs now) {
  if (!memory_) return port_.reply(work.serial, -EINVAL);
  RangeId id = engine_.new_range_id();
  ranges_.emplace(id, work);
  engine_.drop_range(id, work.range, work.range_op, now);
}

void RuntimeService::range_finished(RangeId id, TimeNs now) {
  auto it = ranges_.find(id);
  DSM_CHECK(it != ranges_.end());
  RangeWork work = it->second;
  ranges_.erase(it);
  if (work.op == abi::Op::kFreeze) frozen_.emplace_back(work.range, id);
  if (work.op == abi::Op::kMapProtect || work.op == abi::Op::kPin) engine_.resume_range(id, now);
  if (work.op == abi::Op::kPinned) engine_.wake(work.range);
  port_.reply(work.serial, 0);
}

void RuntimeService::on_thaw(const abi::Packet& packet, TimeNs now) {
  PageRange range = pages_of(packet.range.start, packet.range.length);
  for (auto it = frozen_.begin(); it != frozen_.end(); ++it) {
    if (!(it->first == range)) continue;
    RangeId id = it->second;
    frozen_.erase(it);
    engine_.resume_range(id, now);
    return port_.reply(packet.serial, 0);
  }
  port_.reply(packet.serial, -EINVAL);
}

void RuntimeService::raise_fault(ThreadId thread, uint64_t address, wire::RefuseReason reason) const {
  int error = os::queue_thread_signal(pid(), thread, abi::kSignalRefusal, static_cast<int32_t>(reason), address);
  if (error != 0 && error != -ESRCH) log_.error(std::string("cannot signal a refused thread: ") + std::strerror(-error));
}

}  // namespace dsm::agent
