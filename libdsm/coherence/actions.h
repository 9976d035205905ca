// SPDX-License-Identifier: Apache-2.0
// What a CacheController asks its agent (or the simulator's model of a node) to do, in order.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "libdsm/base/ids.h"
#include "libdsm/wire/messages.h"

namespace dsm::coherence {

struct NoPayload {};
struct FromMemory {  // read the pages when the action is executed
  PageNo page;
  uint16_t count = 1;
};
struct FromSent {  // the bytes that CaptureSent put aside
  PageNo page;
  uint16_t count = 1;
};
using Payload = std::variant<NoPayload, FromMemory, FromSent>;

struct Send {
  NodeId dst;
  wire::Message message;
  Payload payload;
};
// Write pages [page, page+count) of the Data message being handled into the memfd; page >= Data.page. An agent that has
// received the payload in place (accepts_payload) has nothing left to do; it must punch those pages again when the
// message is handled and no InstallPayload names them.
struct InstallPayload {
  PageNo page;
  uint16_t count = 1;
};
// Map present content and wake; write-protected for kRead. A page that is mapped already only gets at least `access`, and
// wakes: a fault event may be older than the mapping that answers it.
struct MapPages {
  PageNo page;
  uint16_t count = 1;
  Access access{};
};
// Holes become zero pages, writable, or for kRead (memory without PROT_WRITE) write-protected from the start; wakes.
struct ZeroFill {
  PageNo page;
  uint16_t count = 1;
  Access access = Access::kWrite;
};
struct Unprotect {  // mapped read-only -> writable; wakes
  PageNo page;
  uint16_t count = 1;
};
struct Protect {  // mapped writable -> read-only
  PageNo page;
  uint16_t count = 1;
};
struct CaptureSent {  // copy the bytes aside under each page, replacing what is there
  PageNo page;
  uint16_t count = 1;
};
struct Zap {  // remove mapping and content; pages may be holes
  PageNo page;
  uint64_t count = 1;
};
struct RestoreSent {  // captured bytes back into the memfd; not mapped
  PageNo page;
};
struct ForgetSent {
  PageNo page;
  uint16_t count = 1;
};
struct Wake {
  PageNo page;
};
struct RaiseFault {
  ThreadId thread;
  uint64_t address = 0;
  wire::RefuseReason reason{};
};
struct SamplePage {
  PageNo page;
};
struct OpenNative {  // answer with on_block_presence before the next event
  BlockNo block;
};
struct RefreshBlock {  // likewise
  BlockNo block;
};
struct RangeFinished {
  RangeId id;
};
struct ProtocolError {  // close the peer
  NodeId peer;
  const char* what = "";
};

using Action = std::variant<Send, InstallPayload, MapPages, ZeroFill, Unprotect, Protect, CaptureSent, Zap, RestoreSent,
                            ForgetSent, Wake, RaiseFault, SamplePage, OpenNative, RefreshBlock, RangeFinished,
                            ProtocolError>;
// Reused by the caller between events, so that the steady state allocates nothing.
using Actions = std::vector<Action>;

std::string to_string(const Action&);

}  // namespace dsm::coherence
