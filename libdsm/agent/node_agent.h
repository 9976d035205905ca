// SPDX-License-Identifier: Apache-2.0
// NodeAgent: one node of a job. It owns the event loop and wires the parts together: protocol engine, transport, runtime
// (application or vessel), launcher. One thread does everything, so that it alone owns the state of every page.
//
// Life: configured -> listening -> peers known -> mesh complete and runtime there (ready) -> shut down. Whatever goes
// wrong is told to the launcher, which decides; an agent whose launcher is gone ends by itself.
//
// Invariants
//  1. The vessel never outlives the agent (PR_SET_PDEATHSIG, and it is killed at the end).
//  2. Callbacks of the transport change state; they never wait.
//  3. An agent that hears neither of node 0 nor of the launcher ends by itself: PeerWatch's death time and 2 s later.
//  4. A peer is lost at most once, and nothing is sent to it afterwards.
//  5. The application is not welcomed before every node is connected to every other: a request that it causes at one
//     worker may go on to any other, and what is sent to a peer that is not up goes nowhere.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "libdsm/agent/blocked_threads.h"
#include "libdsm/agent/checkpoint_keeper.h"
#include "libdsm/agent/cpu_survey.h"
#include "libdsm/agent/engine.h"
#include "libdsm/agent/launcher_port.h"
#include "libdsm/agent/memory_keeper.h"
#include "libdsm/agent/page_evictor.h"
#include "libdsm/agent/peer_frame.h"
#include "libdsm/agent/peer_watch.h"
#include "libdsm/agent/poll_policy.h"
#include "libdsm/agent/runtime_service.h"
#include "libdsm/agent/thread_mover.h"
#include "libdsm/os/preempt_ticker.h"
#include "libdsm/os/process.h"
#include "libdsm/transport/authenticator.h"

namespace dsm::agent {

class NodeAgent final : private transport::Receiver, private EngineHost, private RuntimeServiceHost {
 public:
  NodeAgent(Configure config, LauncherPort& launcher, Log& log);
  ~NodeAgent() override;

  // Listens, starts the vessel (worker) or takes the application's socket (origin), and says "listening".
  Status start();
  // Handles the commands that came together with the configuration, and all others until shutdown; the exit status.
  int run(std::span<const Command> early);

 private:
  // transport::Receiver
  void on_peer_up(NodeId peer) override;
  void on_peer_down(NodeId peer, const Error& why) override;
  Status on_message(NodeId source, transport::Bytes header) override;
  Status place_payload(NodeId source, transport::Bytes header, uint64_t size, transport::Places& places) override;
  Status on_data(NodeId source, transport::Bytes header, const transport::Payload& payload) override;
  void on_payload_sent(uint64_t token) override;
  void on_channel(NodeId source, transport::Bytes greeting, os::Fd stream) override;
  void on_channel_opened(uint64_t token, Result<os::Fd> stream) override;
  void on_stranger(const Error& why) override;

  // EngineHost
  void send_to_peer(NodeId dst, const wire::Message& message, std::span<const transport::Bytes> payload,
                    BufferId buffer) override;
  void raise_fault(ThreadId thread, uint64_t address, wire::RefuseReason reason) override;
  void range_finished(RangeId id) override;
  void protocol_violated(NodeId peer, const char* what) override;
  void drain_runtime() override;

  // RuntimeServiceHost
  void runtime_attached(int pid) override;
  void runtime_ready() override;
  void runtime_violated(const std::string& what) override;
  void open_channel(NodeId node, uint32_t serial) override;
  abi::ReplyStats runtime_stats() override;
  void cpu_time_elsewhere(uint32_t serial) override;

  bool is_origin() const { return config_.is_origin(); }
  bool mesh_complete() const { return mesh_ && watch_.count_up() + 1 == config_.nodes; }
  abi::Welcome make_welcome() const;
  Status start_vessel();
  void adopt_runtime(os::Fd socket);

  bool turn(TimeNs now);
  bool take_faults();
  void serve_fault(const fault::FaultEvent& event);
  bool keep_memory(TimeNs now);
  Status take_room(NodeId source, transport::Bytes frame);
  bool take_runtime();
  void check_time(TimeNs now);
  void wait(TimeNs now);

  void on_launcher_input();
  void handle_all(std::span<const Command> commands);
  void handle(const Configure&);
  void handle(const Peers&);
  void handle(const StatsQuery&);
  void handle(const Shutdown&);
  void handle(const Pause&);
  void handle(const Resume&);

  // node_agent_checkpoint.cc
  void keep_process_image(uint32_t serial, os::Fd image) override;
  void load_memory_first();
  void watch_checkpoint();
  bool take_checkpoint_end();
  void check_checkpoint(TimeNs now);

  // node_agent_moves.cc
  void handle(const MoveThread&);
  void handle(const Drain&);
  int kick_thread(ThreadId kernel_tid);
  void write_board();
  std::vector<NodeId> undrained_others() const;
  void watch_drain(TimeNs now);
  void check_moves(TimeNs now);
  std::optional<TimeNs> next_move_check() const;

  void on_vessel_end();
  void send_to_all(FrameKind kind);
  void ask_for_cpu_time();
  Status answer_cpu_question(NodeId source, transport::Bytes frame);
  Status take_cpu_answer(NodeId source, transport::Bytes frame, TimeNs now);
  void lose_peer(NodeId peer, const std::string& why);
  void advance_readiness();
  Status take_mesh_complete(NodeId source);
  bool all_meshes_complete() const;
  void fail(const std::string& what);
  void stop(int status);

  const Configure config_;
  LauncherPort& launcher_;
  Log& log_;
  const os::KernelFeatures kernel_;
  std::unique_ptr<transport::Authenticator> authenticator_;
  std::unique_ptr<transport::Transport> transport_;
  Engine engine_;
  RuntimeService runtime_;
  MemoryKeeper keeper_;
  CheckpointKeeper checkpoints_;
  PeerWatch watch_;
  PollPolicy policy_;
  os::PreemptTicker ticker_;
  BlockedThreads blocked_;
  CpuSurvey cpu_;
  ThreadMover mover_;
  PageEvictor evictor_;
  struct {
    std::optional<TimeNs> look_at;  // while this node is drained
    TimeNs report_at = 0;
    bool said_done = false;
  } drain_;
  os::Child vessel_;
  os::Child program_;  // origin, where config_.ends_app: not our child, only its pidfd

  std::optional<Peers> mesh_;
  bool said_ready_ = false, said_mesh_complete_ = false, vessel_ready_ = false;
  std::vector<bool> meshes_complete_;  // of the workers, by node; origin only
  std::vector<bool> lost_, left_;  // by node; left: said goodbye
  std::vector<NodeId> violators_;  // closed after the event that showed it

  bool faults_waiting_ = false, runtime_waiting_ = false;  // set by the wait, cleared by reading until nothing is left
  std::optional<transport::WatchId> fault_watch_, runtime_watch_, checkpoint_watch_;
  std::optional<uint32_t> image_serial_;  // the runtime's request that a checkpoint is being written for
  bool checkpoint_done_ = false;
  std::optional<int> exit_status_;

  static constexpr TimeNs kNever = ~TimeNs{0};
  static constexpr int kExitOrphaned = 125;
  TimeNs orphaned_at_ = kNever;  // ends by itself then; moved by the launcher's word, set by the loss of node 0
};

}  // namespace dsm::agent
