// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/dsm_hints.h"

#include "libdsm/runtime/image_writer.h"
#include "libdsm/runtime/migrate.h"
#include "libdsm/runtime/runtime_process.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

int64_t statistics(uint64_t out) {
  if (process().lone.alone) return write_program(out, (const uint64_t[6]){});
  abi::Packet packet = {};
  packet.op = abi::Op::kStats;
  const int64_t status = process().control.request(packet);
  if (status != 0) return status;
  const abi::ReplyStats& stats = packet.stats;
  const uint64_t value[6] = {stats.read_faults, stats.write_faults, stats.pages_in,
                             stats.pages_out,   stats.bytes_in,     stats.bytes_out};
  return write_program(out, value);
}

}  // namespace

int64_t dsm_call(Call& call) {
  if (call.number == DSM_CALL_VERSION) return abi::kVersion;
  if (call.number == DSM_CALL_NODE_COUNT) return process().welcome.nodes;
  if (call.number == DSM_CALL_NODE) return process().welcome.node;
  if (call.number == DSM_CALL_STATS) return statistics(call.arg[0]);
  if (call.number == DSM_CALL_MIGRATE)
    return call.user != nullptr ? migrate_self(call, static_cast<uint32_t>(call.arg[0])) : -EINVAL;
  if (call.number == DSM_CALL_CHECKPOINT) return take_checkpoint(call);
  return -ENOSYS;
}

}  // namespace dsm::runtime
