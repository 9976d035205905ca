// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/transport.h"

namespace dsm::transport {

Counters& Counters::operator+=(const Counters& other) {
  messages_in += other.messages_in;
  messages_out += other.messages_out;
  data_in += other.data_in;
  data_out += other.data_out;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  payload_bytes_in += other.payload_bytes_in;
  payload_bytes_out += other.payload_bytes_out;
  payload_bytes_copied += other.payload_bytes_copied;
  system_calls += other.system_calls;
  return *this;
}

}  // namespace dsm::transport
