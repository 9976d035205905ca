// SPDX-License-Identifier: Apache-2.0
#include "tools/common/id_space.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace dsm::tools {
namespace {

constexpr pid_t kWanted = 4711;
constexpr int kNoNamespaces = 77, kPatienceMs = 10'000;

int exit_status(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// A process that has ended is readable, reaped or not.
bool ends_in_time(int pidfd) {
  pollfd ended{pidfd, POLLIN, 0};
  return poll(&ended, 1, kPatienceMs) == 1;
}

// What a child in the space sees of itself, as an exit status.
int as_chosen() {
  auto space = IdSpace::make();
  if (!space) return kNoNamespaces;
  auto child = space->start(kWanted, [] { _exit(getpid() == kWanted && getppid() == 0 && syscall(SYS_gettid) == kWanted ? 5 : 6); });
  if (!child) return 1;
  const int status = exit_status(*child);
  space->close();
  return exit_status(space->keeper()) == 0 ? status : 2;
}

TEST(IdSpace, GivesTheChosenPid) {
  const int status = as_chosen();
  if (status == kNoNamespaces) GTEST_SKIP() << "namespaces are not allowed here";
  EXPECT_EQ(status, 5);
}

TEST(IdSpace, WorksForAnOrdinaryUser) {
  if (geteuid() != 0) GTEST_SKIP() << "the test above is this one";
  const pid_t user = fork();
  if (user == 0) {
    constexpr uid_t kNobody = 65534;
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(3);
    prctl(PR_SET_DUMPABLE, 1);   // as for one who has logged in: his /proc/self is his own
    _exit(as_chosen());
  }
  const int status = exit_status(user);
  if (status == kNoNamespaces) GTEST_SKIP() << "user namespaces are not allowed here";
  EXPECT_EQ(status, 5);
}

TEST(IdSpace, NamesAPidThatIsTaken) {
  auto space = IdSpace::make();
  if (!space) GTEST_SKIP() << space.error().what;
  auto first = space->start(kWanted, [] { pause(); });
  ASSERT_TRUE(first);
  auto second = space->start(kWanted, [] { _exit(0); });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EEXIST);
  EXPECT_NE(second.error().what.find("chosen pid"), std::string::npos);
  kill(*first, SIGKILL);
  EXPECT_EQ(exit_status(*first), 128 + SIGKILL);
  space->close();
  EXPECT_EQ(exit_status(space->keeper()), 0);
}

TEST(IdSpace, ItsProcessesStopAndGoOnAsChildren) {
  auto space = IdSpace::make();
  if (!space) GTEST_SKIP() << space.error().what;
  auto child = space->start(0, [] {
    raise(SIGSTOP);
    _exit(9);
  });
  ASSERT_TRUE(child);
  int status = 0;
  ASSERT_EQ(waitpid(*child, &status, WUNTRACED), *child);
  EXPECT_TRUE(WIFSTOPPED(status));
  kill(*child, SIGCONT);
  EXPECT_EQ(exit_status(*child), 9);
  space->close();
  EXPECT_EQ(exit_status(space->keeper()), 0);
}

TEST(IdSpace, OrphansLiveOnAndHoldIt) {
  auto space = IdSpace::make();
  if (!space) GTEST_SKIP() << space.error().what;
  int gate[2];
  ASSERT_EQ(pipe(gate), 0);
  auto child = space->start(0, [&] {
    close(gate[1]);
    if (fork() == 0) {
      char byte;
      while (read(gate[0], &byte, 1) < 0 && errno == EINTR) {
      }
      _exit(0);
    }
    _exit(0);
  });
  ASSERT_TRUE(child);
  EXPECT_EQ(exit_status(*child), 0);
  const int keeper = static_cast<int>(syscall(SYS_pidfd_open, space->keeper(), 0));
  space->close();
  pollfd ended{keeper, POLLIN, 0};
  EXPECT_EQ(poll(&ended, 1, 300), 0) << "it ended before the orphan";
  close(gate[1]);
  EXPECT_TRUE(ends_in_time(keeper));
  EXPECT_EQ(exit_status(space->keeper()), 0);
  close(keeper);
  close(gate[0]);
}

// The kernel keeps a namespace until all its processes have been collected: by us, since whoever is the parent of orphans here may not.
TEST(IdSpace, EndsWithItsOwner) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t owner = fork();
  if (owner == 0) {
    auto space = IdSpace::make();
    if (!space) _exit(kNoNamespaces);
    auto child = space->start(0, [] { pause(); });
    const pid_t pids[2] = {space->keeper(), child ? *child : 0};
    if (write(report[1], pids, sizeof pids) != sizeof pids) _exit(1);
    pause();
  }
  close(report[1]);
  pid_t pids[2] = {};
  const ssize_t got = read(report[0], pids, sizeof pids);
  close(report[0]);
  if (got != sizeof pids) {
    EXPECT_EQ(exit_status(owner), kNoNamespaces);
    GTEST_SKIP() << "namespaces are not allowed here";
  }
  const int keeper = static_cast<int>(syscall(SYS_pidfd_open, pids[0], 0)), child = static_cast<int>(syscall(SYS_pidfd_open, pids[1], 0));
  kill(owner, SIGKILL);
  exit_status(owner);
  ASSERT_TRUE(ends_in_time(child)) << "the child runs on";
  exit_status(pids[1]);
  ASSERT_TRUE(ends_in_time(keeper)) << "the first process of the namespace runs on";
  exit_status(pids[0]);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
  close(keeper);
  close(child);
}

}  // namespace
}  // namespace dsm::tools
