// SPDX-License-Identifier: Apache-2.0
// StreamCipher: turns the bytes of one connection into protected ones and back. Pure: bytes in, bytes out. An Authenticator
// that wants more than the proof of membership leaves one behind.
//
//  1. What open() yields at one end is exactly what was given to seal() at the other, in order, or an error: a byte that was
//     changed, left out, repeated or added on the way is never handed out.
//  2. After an error nothing more comes.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "libdsm/base/result.h"

namespace dsm::transport {

class StreamCipher {
 public:
  virtual ~StreamCipher() = default;

  // Appends the protected form of `plain` to `out`.
  virtual Status seal(std::span<const std::byte> plain, std::vector<std::byte>& out) = 0;
  // Appends the notice that nothing follows.
  virtual void seal_end(std::vector<std::byte>& out) = 0;

  // Takes received bytes, all of them; to be followed by open() until it yields nothing.
  virtual Status feed(std::span<const std::byte> sealed) = 0;
  // The next plain bytes. 0: more must be fed, or ended(). What the other end must be answered is appended to `answer`.
  virtual Result<size_t> open(std::span<std::byte> into, std::vector<std::byte>& answer) = 0;
  // The other end has said that nothing follows.
  virtual bool ended() const = 0;
};

}  // namespace dsm::transport
