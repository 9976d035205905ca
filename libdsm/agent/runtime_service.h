// SPDX-License-Identifier: Apache-2.0
// RuntimeService: performs what the runtime on this node asks for (libdsm/runtime/abi.h): the address map and its range
// transactions, channels, fork's freeze, statistics. Replies are asynchronous; several requests may be open.
// Owner-thread only.
//
// A request has two parts. What it changes in the address map is done by drain(), which may be called while the engine
// executes an action, so that nothing is refused by an outdated map. What needs the protocol is done by run_pending(), between events.
#pragma once
#include <deque>
#include <map>
#include <memory>

#include "libdsm/agent/agent_config.h"
#include "libdsm/agent/engine.h"
#include "libdsm/agent/runtime_port.h"
#include "libdsm/agent/thread_board.h"
#include "libdsm/os/kernel_features.h"

namespace dsm::agent {

class RuntimeServiceHost {
 public:
  virtual ~RuntimeServiceHost() = default;
  virtual void runtime_attached(int pid) = 0;  // memory is there; called again after an execve of the program
  virtual void runtime_ready() = 0;            // vessel: channels may come
  virtual void runtime_violated(const std::string& what) = 0;
  virtual void open_channel(NodeId node, uint32_t serial) = 0;  // channel_opened() follows
  virtual abi::ReplyStats runtime_stats() = 0;
  virtual void cpu_time_elsewhere(uint32_t serial) = 0;         // reply() follows
  virtual void keep_process_image(uint32_t serial, os::Fd image) = 0;  // reply() follows
};

class RuntimeService {
 public:
  RuntimeService(const Configure& config, const os::KernelFeatures& kernel, Engine& engine, RuntimeServiceHost& host,
                 const Log& log);

  void connect(os::Fd socket);
  int fd() const { return port_.fd(); }
  bool connected() const { return port_.open(); }
  // Until this is called Hello waits for its Welcome.
  void allow_welcome(const abi::Welcome& welcome);
  // While its memory is being loaded the runtime has to wait for Welcome, whoever allows it.
  void hold_welcome(bool hold);

  // Takes the packets that have arrived. kClosed: the runtime is gone.
  enum class Drained { kNothing, kSome, kClosed };
  Drained drain();
  void run_pending(TimeNs now);
  bool pending() const { return !pending_.empty(); }
  void flush() { port_.flush(); }
  void disconnect() { port_.close(); }

  void range_finished(RangeId id, TimeNs now);
  void channel_opened(uint32_t serial, Result<os::Fd> stream);
  void reply(uint32_t serial, int64_t status) { port_.reply(serial, status); }
  // Vessel: passes on a channel that another node opened; before kReady it waits here.
  void hand_channel(os::Fd fd);

  void raise_fault(ThreadId thread, uint64_t address, wire::RefuseReason reason) const;
  NodeMemory* memory() { return memory_.get(); }
  const OriginSpace& space() const { return space_; }
  ThreadBoard& board() { return board_; }
  // Of all images that the process has had: execve begins a new board.
  uint64_t thread_migrations() const { return earlier_migrations_ + board_.migrations(); }
  int pid() const { return memory_ ? memory_->pid() : 0; }

 private:
  // The range of a request in the protocol, and how it goes on from there.
  struct RangeWork {
    uint32_t serial;
    abi::Op op;
    PageRange range;
    wire::RangeOp range_op;
  };
  struct Pending {
    RuntimeRequest request;
    std::optional<RangeWork> range;
  };

  bool is_origin() const { return config_.is_origin(); }
  void apply_to_map(RuntimeRequest& request, std::optional<RangeWork>& range, bool& answered);
  int apply_map_add(RuntimeRequest& request);
  std::optional<RangeWork> apply_map_protect(const abi::Packet& packet);
  void perform(Pending& item, TimeNs now);
  void begin_range(const RangeWork& work, TimeNs now);
  void on_hello(RuntimeRequest& request);
  void on_ready();
  void on_thaw(const abi::Packet& packet, TimeNs now);
  void send_welcome();

  const Configure& config_;
  const os::KernelFeatures& kernel_;
  Engine& engine_;
  RuntimeServiceHost& host_;
  const Log& log_;
  RuntimePort port_;
  OriginSpace space_;
  std::unique_ptr<NodeMemory> memory_;
  ThreadBoard board_;
  uint64_t earlier_migrations_ = 0;

  std::deque<Pending> pending_;
  std::map<RangeId, RangeWork> ranges_;
  std::vector<std::pair<PageRange, RangeId>> frozen_;
  std::vector<os::Fd> early_channels_;
  std::optional<abi::Welcome> welcome_;
  bool welcome_held_ = false;
  std::optional<uint32_t> hello_serial_;
  bool vessel_ready_ = false;
};

}  // namespace dsm::agent
