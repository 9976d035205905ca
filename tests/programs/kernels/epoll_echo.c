// SPDX-License-Identifier: Apache-2.0
// An echo server in threads: one accepts on the loopback interface and deals the connections to
// workers, each with an epoll set of its own; client threads send messages of many sizes and
// check what comes back. An eventfd ends the workers.
//
//   epoll_echo [workers] [clients] [messages a client] [work]
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "selfcheck.h"

enum { kMostThreads = 16, kMostMessage = 60000 };

static long g_workers, g_clients, g_messages, g_work;
static int g_sets[kMostThreads], g_stop, g_listener;
static uint16_t g_port;

static void echo_what_came(int connection, unsigned char* buffer, size_t* bytes) {
  ssize_t n = recv(connection, buffer, kMostMessage, MSG_DONTWAIT);
  if (n < 0) {
    CHECK(errno == EAGAIN);
    return;
  }
  if (n == 0) {
    CHECK_ZERO(close(connection));  // leaves the epoll set by itself
    return;
  }
  *bytes += (size_t)n;
  for (ssize_t sent = 0; sent < n;) {
    ssize_t more = send(connection, buffer + sent, (size_t)(n - sent), MSG_NOSIGNAL);
    CHECK(more > 0);
    sent += more;
  }
}

static void* run_worker(void* argument) {
  int set = g_sets[(long)argument];
  unsigned char* buffer = malloc(kMostMessage);
  CHECK(buffer);
  size_t bytes = 0;
  for (int stopping = 0; !stopping;) {
    struct epoll_event events[8];
    int n = epoll_wait(set, events, 8, -1);
    CHECK(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd == g_stop) stopping = 1;
      else echo_what_came(events[i].data.fd, buffer, &bytes);
    }
  }
  free(buffer);
  return (void*)bytes;
}

static void* run_acceptor(void* argument) {
  (void)argument;
  for (long i = 0; i < g_clients; i++) {
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    int connection = accept4(g_listener, (struct sockaddr*)&peer, &size, SOCK_CLOEXEC);
    CHECK(connection >= 0 && peer.sin_family == AF_INET);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = connection};
    CHECK_ZERO(epoll_ctl(g_sets[i % g_workers], EPOLL_CTL_ADD, connection, &event));
  }
  return NULL;
}

static int connect_to_server(void) {
  int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(s >= 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = g_port};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_ZERO(connect(s, (struct sockaddr*)&to, sizeof to));
  int on = 1;
  CHECK_ZERO(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  return s;
}

static size_t message_size(uint64_t seed) {
  return seed % 8 == 0 ? 1 + seed / 8 % kMostMessage : 1 + seed / 8 % 500;
}

static void* run_client(void* argument) {
  long me = (long)argument;
  unsigned char* out = malloc(kMostMessage);
  unsigned char* in = malloc(kMostMessage);
  CHECK(out && in);
  int s = connect_to_server();
  size_t bytes = 0;
  for (long m = 0; m < g_messages; m++) {
    uint64_t seed = compute((uint64_t)(me * g_messages + m), g_work);
    size_t size = message_size(seed);
    for (size_t i = 0; i < size; i++) out[i] = (unsigned char)(seed >> (8 * (i & 7)));
    struct iovec piece = {out, size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    CHECK(sendmsg(s, &message, MSG_NOSIGNAL) == (ssize_t)size);
    CHECK(recv(s, in, size, MSG_WAITALL) == (ssize_t)size);
    CHECK(memcmp(in, out, size) == 0);
    bytes += size;
  }
  CHECK_ZERO(close(s));
  free(out), free(in);
  return (void*)bytes;
}

static void listen_on_loopback(void) {
  CHECK((g_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  CHECK_ZERO(bind(g_listener, (struct sockaddr*)&at, size));
  CHECK_ZERO(listen(g_listener, 64));
  CHECK_ZERO(getsockname(g_listener, (struct sockaddr*)&at, &size));
  g_port = at.sin_port;
}

int main(int argc, char** argv) {
  g_workers = number_argument(argc, argv, 1, 2);
  g_clients = number_argument(argc, argv, 2, 3);
  g_messages = number_argument(argc, argv, 3, 300);
  g_work = number_argument(argc, argv, 4, 800000);
  CHECK(g_workers <= kMostThreads && g_clients <= kMostThreads);
  listen_on_loopback();
  CHECK((g_stop = eventfd(0, EFD_CLOEXEC)) >= 0);
  pthread_t workers[kMostThreads], clients[kMostThreads], acceptor;
  for (long w = 0; w < g_workers; w++) {
    CHECK((g_sets[w] = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = g_stop};
    CHECK_ZERO(epoll_ctl(g_sets[w], EPOLL_CTL_ADD, g_stop, &event));
    CHECK_ZERO(pthread_create(&workers[w], NULL, run_worker, (void*)w));
  }
  CHECK_ZERO(pthread_create(&acceptor, NULL, run_acceptor, NULL));
  for (long c = 0; c < g_clients; c++)
    CHECK_ZERO(pthread_create(&clients[c], NULL, run_client, (void*)c));
  size_t sent = 0, echoed = 0;
  void* part;
  for (long c = 0; c < g_clients; c++) {
    CHECK_ZERO(pthread_join(clients[c], &part));
    sent += (size_t)part;
  }
  CHECK_ZERO(pthread_join(acceptor, NULL));
  uint64_t one = 1;  // level triggered and never read: every worker sees it
  CHECK(write(g_stop, &one, sizeof one) == sizeof one);
  for (long w = 0; w < g_workers; w++) {
    CHECK_ZERO(pthread_join(workers[w], &part));
    echoed += (size_t)part;
  }
  CHECK(sent == echoed);
  printf("echoed %ld messages of %zu bytes ok\n", g_clients * g_messages, sent);
  return 0;
}
