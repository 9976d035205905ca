// SPDX-License-Identifier: Apache-2.0
#include "libdsm/agent/node_facts_report.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "dsm/dsm.h"
#include "libdsm/os/cpu_features.h"
#include "libdsm/os/interfaces.h"

namespace dsm::agent {
namespace {

constexpr const char *kReachedBySsh = "reached", *kReachedBySlurm = "slurm";   // Configure::bind
constexpr size_t kDigestBytesShown = 16;

Result<std::string> digest_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{"cannot read " + path + "; install dsm on this host, all of it", 0};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (file.bad() || EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    return Error{"cannot digest " + path, 0};
  std::string hex;
  for (size_t i = 0; i < kDigestBytesShown; ++i)
    for (const int shift : {4, 0}) hex += "0123456789abcdef"[digest[i] >> shift & 15];
  return hex;
}

// SSH_CONNECTION: the client's address and port, then those of the server's end.
std::vector<std::string> ssh_connection() {
  const char* const text = std::getenv("SSH_CONNECTION");
  std::istringstream words(text ? text : "");
  std::vector<std::string> out;
  for (std::string word; words >> word;) out.push_back(word);
  if (out.size() != 4) out.clear();
  return out;
}

}  // namespace

Result<NodeFactsReport> gather_facts(const Configure& config, const std::string& kernel_release) {
  NodeFactsReport facts;
  if (!config.runtime.empty()) {
    auto digest = digest_of(config.runtime);
    if (!digest) return digest.error();
    facts.runtime_digest = *digest;
  }
  facts.version = DSM_VERSION_STRING;
  facts.kernel = kernel_release;
  facts.page_bytes = static_cast<int>(::sysconf(_SC_PAGESIZE));
  facts.cpu = os::cpu_features();
  facts.saved_registers = os::saved_registers();
  return facts;
}

Result<std::string> listening_address(const Configure& config) {
  if (!config.interface.empty()) return os::choose_address(config.interface, os::interface_addresses());
  if (config.bind != kReachedBySsh && config.bind != kReachedBySlurm) return config.bind;
  if (config.bind == kReachedBySlurm && !reached_from(config.bind).empty()) return os::address_towards(reached_from(config.bind));
  const auto words = ssh_connection();
  if (config.bind == kReachedBySlurm || words.empty())
    return Error{"cannot tell by which address this host is reached (no SSH_CONNECTION or SLURM_LAUNCH_NODE_IPADDR); name the network with --iface", 0};
  return words[2];
}

std::string reached_from(const std::string& bind) {
  if (bind == kReachedBySlurm) {
    const char* const address = std::getenv("SLURM_LAUNCH_NODE_IPADDR");   // as slurmd saw srun
    return address ? address : "";
  }
  const auto words = ssh_connection();
  return bind != kReachedBySsh || words.empty() ? std::string() : words[0];
}

}  // namespace dsm::agent
