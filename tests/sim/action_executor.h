// SPDX-License-Identifier: Apache-2.0
// What the agent does for each action of a CacheController (the table in docs/interfaces.md), on the model of a node.
#pragma once
#include <vector>

#include "libdsm/coherence/actions.h"
#include "tests/sim/model_node.h"

namespace dsm::sim {

class ActionExecutor {
 public:
  ActionExecutor(ModelNode& node, TimeNs now, const OriginMap& map, Effects& effects, Failure& failure)
      : node_(node), now_(now), map_(map), effects_(effects), failure_(failure) {}

  void operator()(const coherence::Send&);
  void operator()(const coherence::InstallPayload&);
  void operator()(const coherence::MapPages&);
  void operator()(const coherence::ZeroFill&);
  void operator()(const coherence::Unprotect&);
  void operator()(const coherence::Protect&);
  void operator()(const coherence::CaptureSent&);
  void operator()(const coherence::Zap&);
  void operator()(const coherence::RestoreSent&);
  void operator()(const coherence::ForgetSent&);
  void operator()(const coherence::Wake&);
  void operator()(const coherence::RaiseFault&);
  void operator()(const coherence::SamplePage&);
  void operator()(const coherence::OpenNative&);
  void operator()(const coherence::RefreshBlock&);
  void operator()(const coherence::RangeFinished&);
  void operator()(const coherence::ProtocolError&);

 private:
  std::vector<Token> load(const coherence::Payload&);
  void touched(PageNo page, uint64_t count) { effects_.touched.push_back({page, count}); }
  void woken(PageNo page, uint64_t count) { effects_.woken.push_back({page, count}); }

  ModelNode& node_;
  TimeNs now_;
  const OriginMap& map_;
  Effects& effects_;
  Failure& failure_;
};

}  // namespace dsm::sim
