// SPDX-License-Identifier: Apache-2.0
// From the command line to which agent is started where, and by which command.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "tools/dsm-launch/job_hosts.h"
#include "tools/dsm-launch/launch_options.h"
#include "tools/dsm-launch/ssh_agent_start.h"
#include "tools/dsm-launch/this_machine.h"

namespace dsm::tools {
namespace {

using Words = std::vector<std::string>;

ParsedOptions parse(Words words) {
  words.insert(words.begin(), "dsm-launch");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  return parse_launch_options(static_cast<int>(argv.size()), argv.data());
}

LaunchOptions good(const Words& words) {
  auto parsed = parse(words);
  EXPECT_FALSE(parsed.finished);
  return parsed.options;
}

TEST(LaunchHosts, NothingSaidMeansThisMachine) {
  const auto options = good({"-n", "3", "--", "prog"});
  EXPECT_TRUE(options.hosts.empty());
  const auto nodes = place_nodes(options);
  ASSERT_TRUE(nodes.ok());
  ASSERT_EQ(nodes.value().size(), 3u);
  EXPECT_FALSE(spans_hosts(nodes.value()));
  EXPECT_EQ(nodes.value()[2].agents_there, 3);
}

TEST(LaunchHosts, SlotsSayHowManyNodes) {
  EXPECT_EQ(good({"--host", "localhost,b:2", "prog"}).nodes, 3);
  EXPECT_EQ(good({"-n", "2", "--host", "localhost,b:2", "prog", "--host", "z"}).hosts, (Words{"localhost", "b"}));
  EXPECT_EQ(parse({"-n", "4", "--host", "localhost,b:2", "prog"}).exit_status, 2);
  EXPECT_EQ(parse({"--host", "a;b", "prog"}).exit_status, 2);
  EXPECT_EQ(parse({"--host", "a", "--hostfile", "f", "prog"}).exit_status, 2);
  EXPECT_EQ(parse({"--hostfile", "/no/such/file", "prog"}).exit_status, 2);
  EXPECT_EQ(parse({"--engine", "carrier-pigeon", "prog"}).exit_status, 2);
  EXPECT_EQ(parse({"--engine", "ssh", "prog"}).exit_status, 2);
}

TEST(LaunchHosts, HostFile) {
  char path[] = "/tmp/dsm-hosts-XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  close(fd);
  std::ofstream(path) << "localhost slots=2 # here\nother[1-2]\n";
  EXPECT_EQ(good({"--hostfile", path, "prog"}).hosts, (Words{"localhost", "localhost", "other1", "other2"}));
  unlink(path);
}

TEST(LaunchHosts, ThisMachineByItsNames) {
  for (const std::string& name : {std::string("localhost"), std::string("127.0.0.1"), std::string("127.9.9.9"), this_machine_name()})
    EXPECT_TRUE(is_this_machine(name)) << name;
  EXPECT_FALSE(is_this_machine("nobody-at-all@localhost"));
  EXPECT_FALSE(is_this_machine("no-such-host.invalid"));
}

TEST(LaunchHosts, OnlyOthersAreReachedBySsh) {
  const auto nodes = place_nodes(good({"--host", "localhost:2,a.invalid:2", "prog"}));
  ASSERT_TRUE(nodes.ok());
  const auto& n = nodes.value();
  EXPECT_EQ((std::vector<bool>{n[0].remote, n[1].remote, n[2].remote, n[3].remote}), (std::vector<bool>{false, false, true, true}));
  EXPECT_EQ(n[3].agents_there, 2);
  const auto all_by_ssh = place_nodes(good({"--host", "localhost:2", "--engine", "ssh", "prog"}));
  EXPECT_FALSE(all_by_ssh.value()[0].remote);   // the origin has the program's sockets
  EXPECT_TRUE(all_by_ssh.value()[1].remote);
  EXPECT_FALSE(place_nodes(good({"--host", "localhost,a.invalid", "--engine", "local", "prog"})).ok());
}

TEST(LaunchHosts, FirstHostMustBeHere) {
  const auto nodes = place_nodes(good({"--host", "a.invalid,localhost", "prog"}));
  ASSERT_FALSE(nodes.ok());
  EXPECT_NE(nodes.error().what.find("--host localhost,a.invalid"), std::string::npos) << nodes.error().what;
  const auto none_here = place_nodes(good({"--host", "a.invalid,b.invalid", "prog"}));
  ASSERT_FALSE(none_here.ok());
  EXPECT_NE(none_here.error().what.find("--host localhost,a.invalid,b.invalid"), std::string::npos) << none_here.error().what;
}

TEST(SshCommand, NeverAsksAndNamesNoSecret) {
  const Words command = ssh_command("ssh -p 2222", "me@b", "/opt/it's/dsmd");
  EXPECT_EQ((Words{command.begin(), command.begin() + 3}), (Words{"ssh", "-p", "2222"}));
  EXPECT_NE(std::find(command.begin(), command.end(), "BatchMode=yes"), command.end());
  EXPECT_EQ((Words{command.end() - 3, command.end()}), (Words{"--", "me@b", "exec '/opt/it'\\''s/dsmd'"}));
}

int exited(int status) { return status << 8; }

TEST(SshEnd, OneLineNamesHostAndCause) {
  const std::string path = "/opt/bin/dsmd";
  EXPECT_NE(describe_ssh_end(exited(255), false, "b", path, "Permission denied").find("ssh to b failed: Permission denied"), std::string::npos);
  EXPECT_NE(describe_ssh_end(exited(127), false, "b", path, "sh: not found").find("/opt/bin/dsmd on b"), std::string::npos);
  EXPECT_NE(describe_ssh_end(exited(255), true, "b", path, "").find("killed"), std::string::npos);
  EXPECT_NE(describe_ssh_end(exited(255), true, "b", path, "Timeout").find("Timeout"), std::string::npos);
  EXPECT_NE(describe_ssh_end(SIGKILL, true, "b", path, "").find("signal 9"), std::string::npos);
}

TEST(SshStart, StreamsErrorsAndStatus) {
  auto child = start_ssh({"/bin/sh", "-c", "echo chatter >&2; printf 'last words' >&2; read line; exit $line"});
  ASSERT_TRUE(child.ok());
  RemoteErrors errors(child->errors, false);
  ASSERT_EQ(write(child->agent.control, "7\n", 2), 2);
  int status = 0;
  ASSERT_EQ(waitpid(child->agent.pid, &status, 0), child->agent.pid);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  errors.read_available();
  EXPECT_EQ(errors.explanation(), "last words");
  EXPECT_EQ(errors.fd(), -1);
  close(child->agent.control);
}

TEST(SshStart, MissingCommandIsAnError) {
  const auto child = start_ssh({"/no/such/ssh"});
  ASSERT_FALSE(child.ok());
  EXPECT_NE(child.error().what.find("/no/such/ssh"), std::string::npos);
}

}  // namespace
}  // namespace dsm::tools
