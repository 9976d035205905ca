// SPDX-License-Identifier: Apache-2.0
// The invariants of docs/architecture.md, section 4, on the state of a Machine.
#include <algorithm>

#include "tests/sim/machine.h"

namespace dsm::sim {
namespace {

std::string number(uint64_t n) { return std::to_string(n); }
std::string name(PageNo page) { return "page " + number(page.value); }
std::string name(NodeId node) { return "node " + number(node.value); }

}  // namespace

void Machine::check_page(PageNo page) {
  if (failure_) return;
  const Token truth = oracle_.truth(page);
  unsigned writers = 0, readers = 0;
  for (const ModelNode& node : nodes_) {
    const Mapping mapping = node.memory().mapping(page);
    if (mapping == Mapping::kAbsent) continue;
    ++(mapping == Mapping::kWritable ? writers : readers);
    const Token seen = *node.memory().content(page);
    if (seen != truth)
      return failure_.report(std::string(oracle_.of_earlier_life(page, seen) ? "invariant 7: " : "invariant 2: ") +
                             name(node.id()) + " maps " + (seen == kZero ? "zeros" : "an old value") + " as " + name(page));
    if (node.id() != kOrigin && nodes_[kOrigin.value].memory().native(page.block()))
      return failure_.report("invariant 6: " + name(node.id()) + " maps " + name(page) + " of a native block");
  }
  if (writers > 1 || (writers == 1 && readers > 0))
    return failure_.report("invariant 1: " + name(page) + " has " + number(writers) + " writers and " + number(readers) +
                           " readers");
  if (truth != kZero && writers + readers == 0 && !ranges_.dropping(page) && !CopySearch{nodes_, network_}.any_copy(page, truth))
    return failure_.report("invariant 5: the last copy of " + name(page) + " is gone");
  check_directory(page);
}

void Machine::check_directory(PageNo page) {
  const NodeId host = host_of_[map_.shard_of(page).value];
  if (failure_ || host == kNoHost) return;
  const pagedir::DirectoryService& directory = nodes_[host.value].directory();
  if (directory.rebuilding(map_.shard_of(page)) || ranges_.dropping(page)) return;
  const pagedir::PageView view = directory.view(page);
  if (view.busy) return;
  for (const ModelNode& node : nodes_) {
    const Mapping mapping = node.memory().mapping(page);
    if (mapping == Mapping::kAbsent) continue;
    const bool known = view.state == pagedir::DirState::kNative ? node.id() == kOrigin : view.holders.contains(node.id());
    if (!known) return failure_.report("invariant 4: the directory does not know that " + name(node.id()) + " maps " + name(page));
    if (mapping == Mapping::kWritable && view.state == pagedir::DirState::kShared)
      return failure_.report("invariant 4: " + name(node.id()) + " may write " + name(page) + ", which is Shared");
  }
}

void Machine::check_native_fill(NodeId filler, PageNo page) {
  ++counters_.native_fills;
  for (const ModelNode& node : nodes_)
    if (node.id() != filler && node.memory().holds_part_of(page.block()))
      return failure_.report("invariant 6: native fill of " + name(page) + " while " + name(node.id()) +
                             " holds a part of its block");
  if (network_.carries_part_of(page.block()))
    failure_.report("invariant 6: native fill of " + name(page) + " while a part of its block is under way");
}

void Machine::check_quiescent() {
  for (const ScriptedThread& thread : threads_)
    if (thread.state != ScriptedThread::State::kDone)
      return failure_.report("invariant 3: thread " + number(thread.id.value) + " on " + name(thread.node) +
                             " waits for ever" + (thread.waiting() ? " for " + state_of(thread.waits_for) : ""));
  if (!network_.idle()) return failure_.report("messages are left over");
  for (const ModelNode& node : nodes_) {
    if (!node.quiet()) return failure_.report(name(node.id()) + " has work left over");
    if (node.cache().transactions_in_flight()) return failure_.report("the cache of " + name(node.id()) + " is not idle");
    if (!node.directory().idle()) return failure_.report("the directory of " + name(node.id()) + " is not idle");
    for (const PageNo page : oracle_.pages())
      if (node.memory().sent(page)) return failure_.report(name(node.id()) + " keeps Sent bytes of " + name(page) + " for ever");
  }
  for (const PageNo page : oracle_.pages()) check_page(page);
}

std::string Machine::state_of(PageNo page) const {
  static constexpr const char* kMapping[] = {"-", "r", "w"};
  std::string text = name(page) + " [";
  for (const ModelNode& node : nodes_) {
    text += " " + number(node.id().value) + ":" + coherence::to_string(node.cache().state_of(page)) + "/" +
            kMapping[static_cast<unsigned>(node.memory().mapping(page))];
    if (const auto content = node.memory().content(page))
      text += *content == oracle_.truth(page) ? "=" : *content == kZero ? "0" : "!";
    if (node.memory().sent(page)) text += "+sent";
  }
  const NodeId host = host_of_[map_.shard_of(page).value];
  if (host == kNoHost) return text + " | shard lost ]";
  const pagedir::PageView view = nodes_[host.value].directory().view(page);
  static constexpr const char* kState[] = {"native", "untouched", "shared", "exclusive"};
  text += " | dir@" + number(host.value) + " " + kState[static_cast<unsigned>(view.state)] + "{";
  view.holders.for_each([&](NodeId n) { text += " " + number(n.value); });
  return text + " } v" + number(view.version) + (view.busy ? " busy" : "") + " waiters " + number(view.waiters) + " ]";
}

Hasher::Value Machine::digest() const {
  IdRanks ids;
  for (size_t i = 0; i < nodes_.size(); ++i)
    for (const IdRanks::Id& id : nodes_.local(i).ids) ids.collect(id);
  Hasher collector(&ids);
  network_.digest(collector);
  oracle_.digest(collector);
  ids.seal();

  Hasher hasher(&ids);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const NodeTable::Local& local = nodes_.local(i);
    hasher.add(local.digest.low);
    hasher.add(local.digest.high);
    for (const IdRanks::Id& id : local.ids) hasher.add(ids.rank(id));
  }
  network_.digest(hasher);
  oracle_.digest(hasher);
  for (const ScriptedThread& thread : threads_) {
    hasher.add(uint64_t{thread.next} << 32 | thread.node.value << 8 | static_cast<unsigned>(thread.state));
    if (thread.waiting())
      hasher.add(thread.waits_for.value << 3 | static_cast<unsigned>(thread.waits_access) << 1 | thread.fault_unread);
    else if (thread.next < thread.script.size())
      hasher.add(static_cast<unsigned>(thread.operation().access[0]));
  }
  ranges_.digest(oracle_, hasher);
  for (const NodeId host : host_of_) hasher.add(host.value);
  hasher.add(dead_.word(0));
  return hasher.value();
}

}  // namespace dsm::sim
