// SPDX-License-Identifier: Apache-2.0
// FrameReader: cuts one connection's byte stream into frames. It does not receive; it says where the next bytes
// belong, and is told when they are there. A large payload is directed into the places that the sink names.
//
// Invariants
//  1. space() is never empty, and what it returned stays valid until the next received() or feed().
//  2. After an error (bad lengths, or one that the sink returned) nothing is called any more by the owner.
//  3. At most one frame's header and one page of payload are copied in user space per frame, except for payloads that
//     the sink gave no place.
#pragma once
#include <memory>
#include <vector>

#include "libdsm/transport/frame.h"
#include "libdsm/transport/transport.h"

namespace dsm::transport {

class FrameSink {
 public:
  virtual Status place(Bytes header, uint64_t size, Places& places) = 0;
  virtual Status deliver(Bytes header, const Payload& payload) = 0;

 protected:
  ~FrameSink() = default;
};

class FrameReader {
 public:
  FrameReader(FrameSink& sink, const FrameLimits& limits);

  std::span<std::byte> space();
  Status received(size_t bytes);
  // The same for bytes that lie elsewhere.
  Status feed(Bytes bytes);

  bool in_frame() const { return begin_ != end_ || bulk_left_ > 0; }
  uint64_t payload_bytes_copied() const { return copied_; }

 private:
  Result<size_t> cut(Bytes bytes);      // delivers whole frames; says how many bytes it has used up
  Status begin_bulk(Bytes header, uint64_t size);
  Status finish_bulk();
  size_t fill_bulk(Bytes bytes);
  void advance_bulk(size_t bytes);
  void keep(Bytes rest);

  FrameSink& sink_;
  const FrameLimits limits_;
  std::vector<std::byte> staging_;
  size_t begin_ = 0, end_ = 0;          // of the bytes in staging_ that are not cut yet

  // A payload on its way to its place.
  uint64_t bulk_size_ = 0, bulk_left_ = 0;
  std::vector<std::byte> bulk_header_;
  Places places_;
  size_t place_index_ = 0, place_offset_ = 0;
  bool bulk_placed_ = false;
  std::unique_ptr<std::byte[]> bulk_buffer_;
  uint64_t copied_ = 0;
};

}  // namespace dsm::transport
