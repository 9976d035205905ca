// SPDX-License-Identifier: Apache-2.0
// What the directory emits: messages, never with a payload.
#pragma once
#include <vector>

#include "libdsm/wire/messages.h"
#include "pagedir/mutation.h"

namespace dsm::pagedir {

struct Send {
  NodeId dst;
  wire::Message message;
};
using Sends = std::vector<Send>;

struct DirectoryConfig {
  NodeId self;
  unsigned nodes = 1;
  Mutation mutation = Mutation::kNone;
};

}  // namespace dsm::pagedir
