// SPDX-License-Identifier: Apache-2.0
#include "tools/dsm-launch/this_machine.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>

namespace dsm::tools {
namespace {

std::string first_label(const std::string& name) { return name.substr(0, name.find('.')); }

bool same_address(const sockaddr* a, const sockaddr* b) {
  if (!a || !b || a->sa_family != b->sa_family) return false;
  if (a->sa_family == AF_INET)
    return reinterpret_cast<const sockaddr_in*>(a)->sin_addr.s_addr == reinterpret_cast<const sockaddr_in*>(b)->sin_addr.s_addr;
  if (a->sa_family != AF_INET6) return false;
  return !std::memcmp(&reinterpret_cast<const sockaddr_in6*>(a)->sin6_addr, &reinterpret_cast<const sockaddr_in6*>(b)->sin6_addr,
                      sizeof(in6_addr));
}

bool is_loopback(const sockaddr* address) {   // all of 127/8, of which an interface shows one address only
  return address->sa_family == AF_INET && ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr) >> 24 == 127;
}

bool leads_here(const std::string& name) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(name.c_str(), nullptr, &hints, &found)) return false;   // an alias of ssh_config, perhaps: not this machine
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  ifaddrs* list = nullptr;
  if (getifaddrs(&list)) return false;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> interfaces(list, freeifaddrs);
  for (const addrinfo* to = found; to; to = to->ai_next) {
    if (is_loopback(to->ai_addr)) return true;
    for (const ifaddrs* i = list; i; i = i->ifa_next)
      if (same_address(to->ai_addr, i->ifa_addr)) return true;
  }
  return false;
}

}  // namespace

std::string this_machine_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

bool is_this_machine(const std::string& host) {
  const size_t at = host.rfind('@');
  const std::string name = at == std::string::npos ? host : host.substr(at + 1);
  if (at != std::string::npos) {
    const passwd* user = getpwuid(getuid());
    if (!user || host.substr(0, at) != user->pw_name) return false;
  }
  if (name == "localhost") return true;
  const std::string own = this_machine_name();
  if (name == own) return true;
  // "n1" for "n1.cluster" and the reverse; two full names must be equal.
  const bool one_is_short = (name.find('.') == std::string::npos) != (own.find('.') == std::string::npos);
  if (one_is_short && first_label(name) == first_label(own)) return true;
  return leads_here(name);
}

}  // namespace dsm::tools
