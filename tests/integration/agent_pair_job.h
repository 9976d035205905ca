// SPDX-License-Identifier: Apache-2.0
// A job of real agents around a fake application and fake vessels: what a launcher does, as far as a test needs it.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "libdsm/os/fd.h"
#include "libdsm/transport/job_secret.h"
#include "libdsm/transport/transport.h"
#include "tests/integration/slow_link.h"

namespace agent_pair {

struct JobOptions {
  unsigned nodes = 2;
  std::string dsmd;
  std::string poll = "auto";
  std::string lease = "auto";
  std::string encrypt = "auth";
  unsigned agents = 0;  // so many are real; the others are played by the test. 0: all
  unsigned heartbeat_ms = 500;
  int hold_link_ms = 0;  // the last node reaches node 1 only so much later
  bool verbose = false;
};

class Job {
 public:
  static constexpr char kName[] = "pair";
  static dsm::transport::Secret secret();

  explicit Job(const JobOptions& options);
  ~Job();

  // Starts the agents, and `application(socket)` in a child process.
  void start(const std::function<int(int socket)>& application);
  // Waits for the application; its exit status, or 128 + signal, or -1 after the deadline.
  int wait_application(int deadline_ms);
  // Ends the agents in an orderly way. False if one did not say bye or exit 0 in time.
  bool shut_down();

  nlohmann::json stats(unsigned node);
  // The next line of an agent with this event, ignoring others; null after the deadline.
  nlohmann::json expect(unsigned node, const std::string& event, int deadline_ms);
  // How often this agent has reported the loss of that node so far.
  size_t losses(unsigned node, unsigned peer);
  // Called when the agents listen and know each other: time for the played nodes to connect.
  std::function<void(const std::vector<dsm::transport::Endpoint>& agents)> before_ready;
  int agent_pid(unsigned node) const { return agents_[node].pid; }

 private:
  struct Agent {
    int pid = 0;
    dsm::os::Fd control;
    std::string pending;
    std::vector<unsigned> lost;
  };
  void spawn_agent(unsigned node, int app_socket);
  void tell(unsigned node, const nlohmann::json& line);

  JobOptions options_;
  std::vector<Agent> agents_;
  int application_ = 0;
  std::unique_ptr<SlowLink> slow_link_;
};

}  // namespace agent_pair
