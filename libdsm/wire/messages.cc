// SPDX-License-Identifier: Apache-2.0
#include "libdsm/wire/messages.h"

namespace dsm::wire {
namespace {

template <class... M>
bool is_one_of(const Message& message) {
  return (std::holds_alternative<M>(message) || ...);
}

}  // namespace

bool is_for_directory(const Message& m) {
  return is_one_of<Request, InvalidateAck, Done, Evict, BlockInfo, RangeQuiesce, RangeResume, ShardReport>(m);
}

ChannelClass channel_class(const Message& m) {
  return std::holds_alternative<Data>(m) ? ChannelClass::kData : ChannelClass::kControl;
}

unsigned payload_pages(const Message& m) {
  const Data* data = std::get_if<Data>(&m);
  return data != nullptr && !data->zero ? data->count : 0;
}

}  // namespace dsm::wire
