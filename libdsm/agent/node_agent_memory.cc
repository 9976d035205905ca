// SPDX-License-Identifier: Apache-2.0
// The node's memory budget (--mem): what the keeper does goes out as evictions and as word of our room to the other nodes.
#include "libdsm/agent/node_agent.h"

namespace dsm::agent {

bool NodeAgent::keep_memory(TimeNs now) {
  if (!keeper_.active() || !runtime_.memory()) return false;
  const bool any = keeper_.step(*runtime_.memory(), now, [this](const fault::FaultEvent& event) { serve_fault(event); });
  if (std::optional<uint64_t> room = keeper_.room_to_tell(now)) {
    const auto frame = make_frame(FrameKind::kRoom, Room{*room});
    for (uint16_t i = 0; i < config_.nodes; ++i)
      if (watch_.is_up(NodeId{i})) transport_->send(NodeId{i}, frame);
  }
  return any;
}

Status NodeAgent::take_room(NodeId source, transport::Bytes frame) {
  const std::optional<Room> room = body_of<Room>(frame);
  if (!room) return Error{"room frame of the wrong length", 0};
  keeper_.room_heard(source, room->bytes);
  return success();
}

}  // namespace dsm::agent
