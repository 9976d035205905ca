// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>

#include "libdsm/os/fd.h"
#include "libdsm/os/socket.h"

namespace dsm::os {
namespace {

struct Bits {
  std::array<uint8_t, 16> byte{};
  unsigned count = 0;   // 32 or 128
};

std::optional<Bits> parse(const std::string& address) {
  Bits bits;
  const std::string plain = address.substr(0, address.find('%'));
  if (::inet_pton(AF_INET, plain.c_str(), bits.byte.data()) == 1) bits.count = 32;
  else if (::inet_pton(AF_INET6, plain.c_str(), bits.byte.data()) == 1) bits.count = 128;
  else return std::nullopt;
  return bits;
}

bool same_network(const Bits& a, const Bits& b, unsigned prefix) {
  if (a.count != b.count) return false;
  for (unsigned bit = 0; bit < prefix; ++bit)
    if ((a.byte[bit / 8] ^ b.byte[bit / 8]) >> (7 - bit % 8) & 1) return false;
  return true;
}

// "10.1.0.0/16" -> 16; without a slash all bits count; nothing if it is no number or too large.
std::optional<unsigned> prefix_of(const std::string& wanted, unsigned bits) {
  const size_t slash = wanted.find('/');
  if (slash == std::string::npos) return bits;
  unsigned prefix = 0;
  const char* const end = wanted.data() + wanted.size();
  const auto [stop, error] = std::from_chars(wanted.data() + slash + 1, end, prefix);
  if (error != std::errc() || stop != end || prefix > bits) return std::nullopt;
  return prefix;
}

std::string list(const std::vector<InterfaceAddress>& there) {
  std::string text;
  for (const auto& one : there)
    if (one.up) text += (text.empty() ? "" : ", ") + one.interface + " " + one.address;
  return text.empty() ? "nothing that is up" : text;
}

}  // namespace

std::vector<InterfaceAddress> interface_addresses() {
  std::vector<InterfaceAddress> found;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return found;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
  for (const ifaddrs* i = first; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    const int family = i->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    char text[NI_MAXHOST];
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (::getnameinfo(i->ifa_addr, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    found.push_back({i->ifa_name, text, (i->ifa_flags & IFF_UP) != 0});
  }
  std::stable_partition(found.begin(), found.end(), [](const auto& a) { return a.address.find(':') == std::string::npos; });
  return found;
}

Result<std::string> address_towards(const std::string& address) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_DGRAM;
  constexpr const char* kAnyPort = "9";   // nothing is sent
  if (::getaddrinfo(address.c_str(), kAnyPort, &hints, &found) != 0) return Error{"'" + address + "' is not a numeric address", 0};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  const Fd socket(::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), found->ai_addr, found->ai_addrlen) != 0) return system_error("no way to " + address, errno);
  Result<TcpAddress> own = local_address(socket.get());
  if (!own) return own.error();
  return own->host;
}

Result<std::string> choose_address(const std::string& wanted, const std::vector<InterfaceAddress>& there) {
  const auto network = parse(wanted.substr(0, wanted.find('/')));
  const auto prefix = network ? prefix_of(wanted, network->count) : std::nullopt;
  if (network && !prefix) return Error{"'" + wanted + "' is not ADDRESS/BITS", 0};
  for (const auto& one : there) {
    if (!one.up) continue;
    if (!network && one.interface == wanted) return one.address;
    const auto address = network ? parse(one.address) : std::nullopt;
    if (address && same_network(*address, *network, *prefix)) return one.address;
  }
  return Error{std::string(network ? "no address in " : "no interface ") + wanted + "; there is " + list(there), 0};
}

}  // namespace dsm::os
