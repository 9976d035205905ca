// SPDX-License-Identifier: Apache-2.0
#include "libdsm/os/process.h"

#include <csignal>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "libdsm/os/seqpacket.h"

namespace dsm::os {
namespace {

std::string end_of(Child& child) {
  pollfd wait{child.pidfd(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 5000), 1);
  return child.reap_if_ended();
}

SpawnOptions shell(const std::string& script) {
  SpawnOptions options;
  options.path = "/bin/sh";
  options.arguments = {"sh", "-c", script};
  return options;
}

TEST(ChildTest, SaysHowItEnded) {
  Result<Child> child = Child::spawn(shell("exit 3"));
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(end_of(*child), "exited with status 3");
  EXPECT_FALSE(child->running());
  child = Child::spawn(shell("kill -9 $$"));
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(end_of(*child), "killed by signal 9");
}

TEST(ChildTest, MissingProgramIsAnError) {
  SpawnOptions options;
  options.path = "/nonexistent/program";
  options.arguments = {"program"};
  Result<Child> child = Child::spawn(options);
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(child.error().code, ENOENT);
}

TEST(ChildTest, KeepsOneDescriptorAndFixedAddresses) {
  Fd ours, theirs;
  ASSERT_EQ(make_packet_pair(&ours, &theirs), 0);
  SpawnOptions options = shell("cat /proc/self/personality >&" + std::to_string(theirs.get()));
  options.inherited_fd = theirs.get();
  Result<Child> child = Child::spawn(options);
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(end_of(*child), "exited with status 0");
  std::byte text[64];
  std::vector<Fd> fds;
  int n = receive_packet(ours.get(), text, &fds);
  ASSERT_GT(n, 0);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(text), static_cast<size_t>(n)), "00040000\n");
}

TEST(SeqpacketTest, CarriesDescriptors) {
  Fd a, b;
  ASSERT_EQ(make_packet_pair(&a, &b), 0);
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  Fd read_end(pipe_ends[0]), write_end(pipe_ends[1]);
  std::byte word[4] = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  int fds[1] = {write_end.get()};
  ASSERT_EQ(send_packet(a.get(), word, fds), 0);
  std::byte got[8];
  std::vector<Fd> received;
  ASSERT_EQ(receive_packet(b.get(), got, &received), 4);
  ASSERT_EQ(received.size(), 1u);
  ASSERT_EQ(::write(received[0].get(), "x", 1), 1);
  char c;
  ASSERT_EQ(::read(read_end.get(), &c, 1), 1);
  EXPECT_EQ(c, 'x');
}

TEST(SeqpacketTest, NamesTheSender) {
  Fd a, b;
  ASSERT_EQ(make_packet_pair(&a, &b), 0);
  const int on = 1;
  ASSERT_EQ(::setsockopt(b.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
  std::byte word[4]{};
  const int passed[kMaxPassedFds] = {a.get(), a.get(), a.get(), a.get()};
  ASSERT_EQ(send_packet(a.get(), word, passed), 0);
  std::vector<Fd> received;
  ucred sender{};
  ASSERT_EQ(receive_packet(b.get(), word, &received, &sender), 4);
  EXPECT_EQ(received.size(), kMaxPassedFds);
  EXPECT_EQ(sender.pid, ::getpid());
  EXPECT_EQ(sender.uid, ::geteuid());
}

TEST(SeqpacketTest, LongPacketAndClosedEnd) {
  Fd a, b;
  ASSERT_EQ(make_packet_pair(&a, &b), 0);
  std::byte bytes[64]{}, small[16];
  std::vector<Fd> fds;
  ASSERT_EQ(send_packet(a.get(), bytes), 0);
  EXPECT_EQ(receive_packet(b.get(), small, &fds), -EMSGSIZE);
  a.reset();
  EXPECT_EQ(receive_packet(b.get(), small, &fds), 0);
  EXPECT_EQ(send_packet(b.get(), bytes), -EPIPE);
}

volatile sig_atomic_t seen_errno;
void* volatile seen_value;
void on_signal(int, siginfo_t* info, void*) {
  seen_errno = info->si_errno;
  seen_value = info->si_value.sival_ptr;
}

TEST(SignalTest, CarriesReasonAndAddressToTheThread) {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO;
  ASSERT_EQ(::sigaction(SIGRTMIN + 3, &action, nullptr), 0);
  ASSERT_EQ(queue_thread_signal(own_pid(), ThreadId{::gettid()}, SIGRTMIN + 3, 4, 0x7000dead), 0);
  EXPECT_EQ(seen_errno, 4);
  EXPECT_EQ(reinterpret_cast<uint64_t>(seen_value), 0x7000deadu);
  EXPECT_EQ(queue_thread_signal(own_pid(), ThreadId{0x3fffffff}, SIGRTMIN + 3, 0, 0), -ESRCH);
}

}  // namespace
}  // namespace dsm::os
