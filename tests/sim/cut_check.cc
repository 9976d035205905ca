// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/cut_check.h"

#include "libdsm/coherence/cut_selection.h"

namespace dsm::sim {
namespace {

bool selected(const coherence::CutSelection& selection, PageNo page) {
  const auto block = selection.pages().find(page.block());
  return block != selection.pages().end() && block->second.test(page.index());
}

}  // namespace

std::string cut_objection(const Machine& machine) {
  std::vector<coherence::CutSelection> selections;
  for (size_t n = 0; n < machine.nodes().size(); ++n) selections.emplace_back(machine.nodes()[n].cache());
  for (size_t n = 0; n < machine.nodes().size(); ++n)
    for (const pagedir::CutShare& share : machine.nodes()[n].directory().cut_shares())
      if (const std::string what = selections.at(share.writer.value).add(share); !what.empty())
        return "cut: node " + std::to_string(share.writer.value) + ": " + what;
  for (const PageNo page : machine.oracle().pages()) {
    unsigned writers = 0;
    for (size_t n = 0; n < selections.size(); ++n) {
      const ModelNode& node = machine.nodes()[n];
      const auto content = node.memory().content(page);
      const bool native = NodeId{static_cast<uint16_t>(n)} == kOrigin && !node.cache().block_open(page.block()) && content;
      if (!native && !selected(selections[n], page)) continue;
      ++writers;
      if (!content) return "cut: node " + std::to_string(n) + " is to write a page that has no content there: " + machine.state_of(page);
      if (*content != machine.oracle().truth(page)) return "cut: node " + std::to_string(n) + " writes an old value of " + machine.state_of(page);
    }
    if (writers > 1) return "cut: " + std::to_string(writers) + " nodes write " + machine.state_of(page);
    if (writers == 0 && machine.oracle().truth(page) != kZero) return "cut: nobody writes " + machine.state_of(page);
  }
  return {};
}

}  // namespace dsm::sim
