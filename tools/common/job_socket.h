// SPDX-License-Identifier: Apache-2.0
// Where a job can be asked about: an abstract Unix socket "@dsm/<uid>/<job>" of its launcher. Abstract, so that a
// launcher killed by SIGKILL leaves no file behind; who connects is judged by SO_PEERCRED (same user, or root).
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "libdsm/base/result.h"

namespace dsm::tools {

struct JobAddress {
  uid_t uid;
  std::string job;
};

// Non-blocking listening socket for a job of this user.
Result<int> listen_for_job(const std::string& job);
// The next client of the same user or root; -1 if there is none now. Others are closed without an answer.
int accept_client(int listener);
// Jobs of this host whose launcher lives (all users' names are visible; only one's own answer).
std::vector<JobAddress> running_jobs();
// Blocking stream to the launcher of a job.
Result<int> connect_to_job(const JobAddress& address);

}  // namespace dsm::tools
