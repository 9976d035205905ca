// SPDX-License-Identifier: Apache-2.0
#include "libdsm/transport/frame_reader.h"

#include <algorithm>
#include <cstring>

#include "libdsm/base/check.h"

namespace dsm::transport {
namespace {

Error bad_length(const char* what, uint64_t value, uint64_t limit) {
  return Error{std::string("sent a ") + what + " of " + std::to_string(value) + " bytes (limit " +
                   std::to_string(limit) + ")",
               EPROTO};
}

}  // namespace

FrameReader::FrameReader(FrameSink& sink, const FrameLimits& limits)
    : sink_(sink), limits_(limits), staging_(sizeof(FrameHead) + limits.header_bytes + kStagedPayloadBytes) {}

std::span<std::byte> FrameReader::space() {
  if (bulk_left_ > 0) return places_[place_index_].subspan(place_offset_);
  DSM_CHECK(begin_ == 0 && end_ < staging_.size());
  return std::span(staging_).subspan(end_);
}

Status FrameReader::received(size_t bytes) {
  if (bulk_left_ > 0) {
    advance_bulk(bytes);
    return bulk_left_ == 0 ? finish_bulk() : success();
  }
  end_ += bytes;
  DSM_CHECK(end_ <= staging_.size());
  auto used = cut(Bytes(staging_).first(end_));
  if (!used) return used.error();
  begin_ = *used;
  if (begin_ > 0) {
    std::memmove(staging_.data(), staging_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return success();
}

Status FrameReader::feed(Bytes bytes) {
  while (!bytes.empty()) {
    if (bulk_left_ == 0 && end_ == 0) {
      auto used = cut(bytes);
      if (!used) return used.error();
      bytes = bytes.subspan(*used);
      if (bulk_left_ == 0) {
        keep(bytes);
        return success();
      }
      continue;
    }
    const auto into = space();
    const size_t n = std::min(into.size(), bytes.size());
    std::memcpy(into.data(), bytes.data(), n);
    if (bulk_left_ > 0) copied_ += n;
    bytes = bytes.subspan(n);
    if (auto status = received(n); !status) return status;
  }
  return success();
}

void FrameReader::keep(Bytes rest) {
  DSM_CHECK(rest.size() < staging_.size());
  if (!rest.empty()) std::memcpy(staging_.data(), rest.data(), rest.size());
  end_ = rest.size();
}

Result<size_t> FrameReader::cut(Bytes bytes) {
  size_t used = 0;
  for (;;) {
    const Bytes rest = bytes.subspan(used);
    FrameHead head;
    if (rest.size() < sizeof head) return used;
    std::memcpy(&head, rest.data(), sizeof head);
    if (head.header_bytes == 0 || head.header_bytes > limits_.header_bytes)
      return bad_length("header", head.header_bytes, limits_.header_bytes);
    if (head.payload_bytes > limits_.payload_bytes)
      return bad_length("payload", head.payload_bytes, limits_.payload_bytes);
    const size_t header_end = sizeof head + head.header_bytes;
    if (rest.size() < header_end) return used;
    const Bytes header = rest.subspan(sizeof head, head.header_bytes);

    if (head.payload_bytes > kStagedPayloadBytes) {
      if (auto status = begin_bulk(header, head.payload_bytes); !status) return status.error();
      used += header_end + fill_bulk(rest.subspan(header_end));
      if (bulk_left_ > 0) return used;
      if (auto status = finish_bulk(); !status) return status.error();
      continue;
    }
    if (rest.size() < header_end + head.payload_bytes) return used;
    Payload payload{.size = head.payload_bytes, .bytes = rest.subspan(header_end, head.payload_bytes)};
    if (auto status = sink_.deliver(header, payload); !status) return status.error();
    used += header_end + head.payload_bytes;
  }
}

Status FrameReader::begin_bulk(Bytes header, uint64_t size) {
  bulk_header_.assign(header.begin(), header.end());
  places_.clear();
  if (auto status = sink_.place(header, size, places_); !status) return status;
  bulk_placed_ = !places_.empty();
  if (!bulk_placed_) {
    if (!bulk_buffer_) bulk_buffer_ = std::make_unique_for_overwrite<std::byte[]>(limits_.payload_bytes);
    places_.emplace_back(bulk_buffer_.get(), size);
  }
  std::erase_if(places_, [](std::span<std::byte> place) { return place.empty(); });
  uint64_t sum = 0;
  for (const auto& place : places_) sum += place.size();
  DSM_CHECK(sum == size);
  bulk_size_ = bulk_left_ = size;
  place_index_ = place_offset_ = 0;
  return success();
}

// Bytes that came in together with the header.
size_t FrameReader::fill_bulk(Bytes bytes) {
  size_t used = 0;
  while (used < bytes.size() && bulk_left_ > 0) {
    const auto into = places_[place_index_].subspan(place_offset_);
    const size_t n = std::min(into.size(), bytes.size() - used);
    std::memcpy(into.data(), bytes.data() + used, n);
    used += n;
    advance_bulk(n);
  }
  copied_ += used;
  return used;
}

void FrameReader::advance_bulk(size_t bytes) {
  place_offset_ += bytes;
  bulk_left_ -= bytes;
  DSM_CHECK(place_offset_ <= places_[place_index_].size());
  if (place_offset_ == places_[place_index_].size() && bulk_left_ > 0) {
    ++place_index_;
    place_offset_ = 0;
  }
}

Status FrameReader::finish_bulk() {
  Payload payload{.size = bulk_size_, .placed = bulk_placed_};
  if (!bulk_placed_) payload.bytes = Bytes(bulk_buffer_.get(), bulk_size_);
  return sink_.deliver(bulk_header_, payload);
}

}  // namespace dsm::transport
