// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/socket.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace dsm::os {
namespace {

struct SocketName {
  sockaddr_storage storage{};
  socklen_t length = 0;
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<SocketName> parse(const TcpAddress& address) {
  SocketName name;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&name.storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    name.length = sizeof *v4;
    return name;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&name.storage);
  const size_t zone = address.host.find('%');
  if (::inet_pton(AF_INET6, address.host.substr(0, zone).c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    if (zone != std::string::npos) v6->sin6_scope_id = ::if_nametoindex(address.host.c_str() + zone + 1);
    name.length = sizeof *v6;
    return name;
  }
  return Error{"'" + address.host + "' is not a numeric IPv4 or IPv6 address", EINVAL};
}

TcpAddress print(const SocketName& name) {
  char text[INET6_ADDRSTRLEN] = "";
  if (name.storage.ss_family == AF_INET) {
    auto* v4 = reinterpret_cast<const sockaddr_in*>(&name.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return {text, ntohs(v4->sin_port)};
  }
  if (name.storage.ss_family == AF_INET6) {
    auto* v6 = reinterpret_cast<const sockaddr_in6*>(&name.storage);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return {text, ntohs(v6->sin6_port)};
  }
  return {"unknown peer", 0};
}

Result<Fd> stream_socket(int family) {
  Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return system_error("cannot make a TCP socket", errno);
  return fd;
}

void set_option(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

}  // namespace

std::string to_string(const TcpAddress& a) {
  const bool v6 = a.host.find(':') != std::string::npos;
  return (v6 ? "[" + a.host + "]" : a.host) + ":" + std::to_string(a.port);
}

Result<Fd> tcp_listen(const TcpAddress& at, int backlog) {
  auto name = parse(at);
  if (!name) return name.error();
  auto fd = stream_socket(name->storage.ss_family);
  if (!fd) return fd.error();
  set_option(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(fd->get(), name->raw(), name->length) != 0 || ::listen(fd->get(), backlog) != 0)
    return system_error("cannot listen at " + to_string(at), errno);
  return fd;
}

Result<TcpAddress> local_address(int fd) {
  SocketName name;
  name.length = sizeof name.storage;
  if (::getsockname(fd, name.raw(), &name.length) != 0) return system_error("getsockname", errno);
  return print(name);
}

TcpAddress remote_address(int fd) {
  SocketName name;
  name.length = sizeof name.storage;
  if (::getpeername(fd, name.raw(), &name.length) != 0) name.storage.ss_family = AF_UNSPEC;
  return print(name);
}

Result<Fd> tcp_connect(const TcpAddress& to) {
  auto name = parse(to);
  if (!name) return name.error();
  auto fd = stream_socket(name->storage.ss_family);
  if (!fd) return fd.error();
  if (::connect(fd->get(), name->raw(), name->length) != 0 && errno != EINPROGRESS && errno != EINTR)
    return system_error("cannot connect to " + to_string(to), errno);
  return fd;
}

int connect_result(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

Result<Fd> tcp_accept(int listener) {
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return Fd(fd);
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return Fd();
    return system_error("accept", errno);
  }
}

void set_stream_options(int fd) {
  constexpr int kIdleSeconds = 6, kIntervalSeconds = 3, kProbes = 3;
  constexpr std::string_view kCongestionControl[] = {"cubic", "reno"};  // the second is open to everybody
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  for (std::string_view name : kCongestionControl)
    if (::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), static_cast<socklen_t>(name.size())) == 0) break;
}

long receive_now(int fd, std::span<std::byte> into) {
  for (;;) {
    const ssize_t n = ::recv(fd, into.data(), into.size(), MSG_DONTWAIT);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

long send_now(int fd, std::span<const std::byte> bytes) {
  for (;;) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

long send_now(int fd, std::span<const iovec> parts) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  for (;;) {
    const ssize_t n = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

}  // namespace dsm::os
