// SPDX-License-Identifier: Apache-2.0
// The controller of one job: starts agents and program, connects them, answers dsm-stat, and ends everything when
// the program ends or a node dies.
//
// Threads: the launcher's only thread owns everything.
// Invariants:
//  1. Nothing of the job outlives run(): agents and vessels are gone, or killed and seen gone, before it returns.
//  2. The first failure decides: exit status 125 and one line that names the node and what died.
//  3. The program's own end (exit or signal) wins over what follows from it on the nodes.
//  4. The same object controls a child process of the program that has joined the job (job_children.cc), in a process of its own:
//     `joined_` is set, and the program is not a child of this process.
//  5. Every phase has a deadline, and its message names who is waited for.
#pragma once
#include <list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/os/fd.h"
#include "tools/common/id_space.h"
#include "tools/common/line_stream.h"
#include "tools/dsm-launch/agent_handle.h"
#include "tools/dsm-launch/installation.h"
#include "tools/dsm-launch/job_commands.h"
#include "tools/dsm-launch/join_port.h"
#include "tools/dsm-launch/launch_options.h"
#include "tools/dsm-launch/program_lookup.h"
#include "tools/dsm-launch/signal_relay.h"
#include "tools/dsm-launch/stats_query.h"

namespace dsm::tools {

// A process that runs already and has asked for agents.
struct JoinedProgram {
  pid_t pid;
  std::string name;
  os::Fd process;       // pidfd
  os::Fd control;       // its runtime's control socket, for agent 0
  LineStream launcher;  // takes the report; its end is the end of the job
  std::string job;      // the job's name
};

// A program that goes on from its process image.
struct RestoredProgram {
  pid_t pid;       // in the image
  pid_t last_id;   // the highest id of its threads
  os::Fd image;
  bool resumes_output = false;   // stdin, stdout and stderr are those of the job that the image is of
};

struct CheckpointPlaces {
  std::string dir, job;                   // new ones; empty: none are kept
  std::string restore_dir, restore_job;
  uint64_t restore_generation = 0;        // 0: nothing is restored
};

class JobController {
 public:
  // `hosts`: one for each node (job_hosts.h).
  JobController(const LaunchOptions& options, const Installation& installation, const Program& program, const std::vector<NodeHost>& hosts);
  // For a process that has joined the job of another controller.
  JobController(const LaunchOptions& options, const Installation& installation, const Program& program, const std::vector<NodeHost>& hosts,
                JoinedProgram joined);
  ~JobController();
  JobController(const JobController&) = delete;

  // Before run(): the program is made from its image, in a PID namespace of its own with node 0's agent, instead of started. The pages are
  // the agents' affair.
  void restore(RestoredProgram program) { restored_ = std::move(program); }
  // Before run(): where the job's checkpoints go, and where the pages of a restored program are.
  void keep_checkpoints(CheckpointPlaces places) { checkpoints_ = std::move(places); }

  // Runs the job to its end and returns the exit status of dsm-launch.
  int run();
  // After run(): it ended because an agent, a vessel or the program was killed while the program ran, which another run from a checkpoint
  // may survive.
  bool lost_node() const { return lost_node_; }

 private:
  static constexpr TimeNs kReportPatience = 3'000'000'000;
  enum class Phase { kListening, kMeshing, kRunning, kCollecting, kLeaving };

  Status start();
  Status start_program();

  // job_agents.cc
  void prepare_agents(const std::vector<NodeHost>& hosts);
  Status start_agents_in_turn();
  Status start_agent_of(AgentHandle& agent);
  void configure(AgentHandle& agent);
  void configure_local_agents(const std::string& address);
  nlohmann::json configuration(const AgentHandle& agent) const;
  void agent_listens(AgentHandle& agent, const nlohmann::json& event);
  bool uses_origin_clock() const;
  std::string end_of(const AgentHandle& agent, int wait_status) const;

  // job_questions.cc
  void collect_final_report();
  void finish_report(nlohmann::json job);
  void write_reports();
  void query_stats(StatsQuery::Answer answer, TimeNs patience);
  nlohmann::json job_summary() const;

  // job_children.cc
  void take_join_requests();
  int start_child_job(const JoinRequest& request);
  void handle_children();
  void signal_children(int signal);
  void abandon_children();
  void watch_joined_program();
  void kill_program();
  void complain_of_failure(const std::string& what) const;
  bool report_to_launcher(const nlohmann::json& job);

  void loop();
  int poll_timeout_ms() const;
  void handle_agent_input(AgentHandle& agent);
  void handle_agent_line(AgentHandle& agent, const std::string& line);
  void handle_clients();
  void answer_client(LineStream& client, const std::string& line);
  void handle_signals();
  void reap();
  void agent_exited(AgentHandle& agent, int wait_status);
  void program_changed(int wait_status);
  void tell_all(const char* command);
  void check_deadlines();

  void set_agent_state(AgentHandle& agent, AgentState state);
  bool all_agents_reached(AgentState state) const;
  void enter(Phase phase);
  void send_peers();
  void suspect_peer(int node, const std::string& what);
  void fail(const std::string& what);
  bool waits_for_children_only() const;
  void leave();
  void kill_everything();

  // job_restore.cc
  void add_checkpoints(nlohmann::json& configuration) const;
  Status make_id_space();
  void end_id_space();

  AgentHandle* agent(int node);
  std::string name_of(const AgentHandle& agent) const;
  std::string waiting_for() const;

  LaunchOptions options_;
  Installation installation_;
  Program program_;
  std::string job_;
  std::string secret_hex_;
  bool spans_hosts_ = false;
  std::string local_bind_;         // address of the agents on this machine; empty until it is known
  SignalRelay signals_;
  std::vector<AgentHandle> agents_;
  int app_socket_[2] = {-1, -1};   // ours to hand out: [0] to agent 0, [1] to the program
  int app_fd_of_agent_ = -1;       // the number that [0] has in agent 0
  pid_t app_pid_ = 0;
  std::optional<int> app_status_;  // wait status once it has ended
  uint64_t app_cpu_ns_ = 0;        // CPU time of the program, taken when it has ended
  Phase phase_ = Phase::kListening;
  TimeNs phase_deadline_ = 0;
  bool failed_ = false;
  bool lost_node_ = false;
  std::optional<TimeNs> collect_at_;   // the program has ended, and whether a node was lost shows until then
  struct Suspicion {
    int node;
    std::string what;
    TimeNs decide_at;
  };
  std::optional<Suspicion> suspicion_;
  int listener_ = -1;
  std::vector<NodeHost> hosts_;
  std::optional<JoinedProgram> joined_;
  CheckpointPlaces checkpoints_;
  std::optional<RestoredProgram> restored_;
  IdSpace id_space_;               // of a restored program
  JoinPort join_port_;             // open unless children are native
  struct ChildJob {
    pid_t controller, pid;
    std::string name;
    os::Fd process;
    LineStream stream;
  };
  std::vector<ChildJob> children_;
  std::vector<nlohmann::json> child_reports_;
  std::optional<nlohmann::json> report_;   // ours, until those of the children are there
  std::list<LineStream> clients_;
  JobCommands commands_;
  std::map<int, StatsQuery> queries_;
  int next_query_ = 1;
};

}  // namespace dsm::tools
