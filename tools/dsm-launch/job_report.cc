// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/job_report.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/common/job_tables.h"
#include "tools/common/page_symbols.h"

namespace dsm::tools {

using nlohmann::json;

Status write_report(const std::string& path, std::vector<json> jobs) {
  for (json& job : jobs) name_pages(job);
  const std::string temporary = path + ".tmp";
  {
    std::ofstream file(temporary, std::ios::trunc);
    const json document = {{"schema", kStatSchema}, {"jobs", std::move(jobs)}};
    file << document.dump(1, ' ', false, json::error_handler_t::replace) << '\n';
    file.close();
    if (!file) return Error{"cannot write the report to " + path + ": " + std::string(std::strerror(errno)), errno};
  }
  if (std::rename(temporary.c_str(), path.c_str())) {
    const int code = errno;
    std::remove(temporary.c_str());
    return system_error("cannot write the report to " + path, code);
  }
  return success();
}

int remote_threads(const json& job) {
  int count = 0;
  for (const json& node : job.value("nodes", json::array()))
    if (node.value("id", 0) != 0) count += node.value("threads_run", 0);
  return count;
}

void print_summary(const json& job) {
  const std::string text = node_table(job) + thread_summary(job);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace dsm::tools
