// SPDX-License-Identifier: Apache-2.0
// Small helpers for files that are read back: every length is checked before it is believed. Pure.
#pragma once
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "libdsm/base/result.h"
#include "libdsm/ckpt/ckpt_format.h"

namespace dsm::ckpt {

using Bytes = std::span<const std::byte>;

Digest digest_of(Bytes bytes);
// 32 hexadecimal digits, high half first, as xxhsum -H2 prints it.
std::string to_string(const Digest& digest);

// What `file` names with a job or program must be, and what a folder can be named after: letters, digits, "._-", not only dots.
bool is_job_name(std::string_view name);

class ByteWriter {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    append(std::as_bytes(std::span(&value, 1)));
  }
  template <class T>
  void put_all(const std::vector<T>& values) {
    append(std::as_bytes(std::span(values)));
  }
  void append(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void pad_to(size_t multiple) { bytes_.resize((bytes_.size() + multiple - 1) / multiple * multiple); }
  // Appends the digest of what there is, and gives everything away.
  std::vector<std::byte> seal();

 private:
  std::vector<std::byte> bytes_;
};

// Reads from the front; false, and then always false, when there is not enough.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : left_(bytes) {}
  template <class T>
  bool get(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (!good_ || left_.size() < sizeof value) return good_ = false;
    std::memcpy(&value, left_.data(), sizeof value);
    left_ = left_.subspan(sizeof value);
    return true;
  }
  template <class T>
  bool get_all(std::vector<T>& values, uint64_t count) {
    if (!good_ || count > left_.size() / sizeof(T)) return good_ = false;
    values.resize(static_cast<size_t>(count));
    if (count != 0) std::memcpy(values.data(), left_.data(), values.size() * sizeof(T));
    left_ = left_.subspan(values.size() * sizeof(T));
    return true;
  }
  bool get_text(std::string& text, size_t bytes);
  // Zeros up to a multiple of `multiple` bytes of what has been read of `whole`.
  bool skip_padding(size_t whole, size_t multiple);
  bool at_end() const { return good_ && left_.empty(); }

 private:
  Bytes left_;
  bool good_ = true;
};

// The bytes before the digest at the end, if that is theirs. The error names what does not fit; `magic` has 8 characters.
Result<Bytes> unseal(Bytes file, std::string_view magic);

}  // namespace dsm::ckpt
