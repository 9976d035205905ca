// SPDX-License-Identifier: Apache-2.0
#include "libdsm/runtime/marshal.h"

#include "libdsm/runtime/strings.h"
#include "libdsm/runtime/uaccess.h"

namespace dsm::runtime {
namespace {

constexpr size_t kMaxPathBytes = 4096;

constexpr size_t padded(size_t bytes) { return (bytes + 7) & ~size_t{7}; }
bool goes_in(const PointerRule& pointer) { return (static_cast<int>(pointer.direction) & 1) != 0; }
bool comes_out(const PointerRule& pointer) { return (static_cast<int>(pointer.direction) & 2) != 0; }

// Bytes behind an argument that is not a string; SIZE_MAX when nobody could mean it.
size_t extent_bytes(const PointerRule& pointer, const Call& call) {
  if (pointer.extent == Extent::kFixed) return pointer.value;
  const uint64_t count = call.arg[pointer.value];
  return count > channel::kMaxInlineBytes ? SIZE_MAX : count * pointer.scale;
}

// How many bytes of an output are written back.
size_t result_bytes(const PointerRule& pointer, const Call& call, int64_t result) {
  if (is_error(result)) return 0;
  const size_t room = extent_bytes(pointer, call);
  if (!pointer.by_result) return room;
  const size_t used = static_cast<size_t>(result) * pointer.scale;
  return used < room ? used : room;
}

template <typename Visit>
void for_each_pointer(const MarshalRule& rule, const Call& call, Visit visit) {
  for (const PointerRule& pointer : rule.pointer) {
    if (pointer.direction == Direction::kNone) return;
    if (call.arg[pointer.index] != 0 && !visit(pointer)) return;
  }
}

}  // namespace

int64_t pack_arguments(const MarshalRule& rule, const Call& call, uint8_t* to) {
  size_t in = 0, out = 0;
  bool fits = true;
  for_each_pointer(rule, call, [&](const PointerRule& pointer) {
    const uint64_t address = call.arg[pointer.index];
    size_t bytes;
    if (pointer.extent == Extent::kString) {
      const size_t room = channel::kMaxInlineBytes - in;
      const int64_t length = copy_string_from_program(reinterpret_cast<char*>(to + in), address,
                                                      room < kMaxPathBytes ? room : kMaxPathBytes);
      if (length < 0) return fits = false;
      bytes = static_cast<size_t>(length) + 1;
    } else {
      bytes = extent_bytes(pointer, call);
      if (bytes > channel::kMaxInlineBytes - in) return fits = false;
      if (goes_in(pointer) && copy_from_program(to + in, address, bytes) != 0) return fits = false;
    }
    if (goes_in(pointer)) in += padded(bytes);
    if (comes_out(pointer)) out += padded(bytes);
    return fits = in <= channel::kMaxInlineBytes && in + out <= channel::kMaxInlineBytes;
  });
  return fits ? static_cast<int64_t>(in) : -1;
}

bool unpack_arguments(const MarshalRule& rule, Call& call, const uint8_t* from, size_t bytes, uint8_t* room) {
  size_t taken = 0, used = 0;
  bool good = true;
  const Call original = call;
  for_each_pointer(rule, original, [&](const PointerRule& pointer) {
    size_t size = pointer.extent == Extent::kString ? 0 : extent_bytes(pointer, original);
    if (pointer.extent == Extent::kString) {
      while (taken + size < bytes && from[taken + size] != 0) size++;
      if (taken + size == bytes) return good = false;
      size++;
    }
    if (size > channel::kMaxInlineBytes - used) return good = false;
    if (goes_in(pointer)) {
      if (size > bytes - taken) return good = false;
      memcpy(room + used, from + taken, size);
      taken += padded(size);
      if (taken > bytes) taken = bytes;
    }
    call.arg[pointer.index] = reinterpret_cast<uint64_t>(room + used);
    used += padded(size);
    return good = used <= channel::kMaxInlineBytes;
  });
  return good;
}

size_t pack_results(const MarshalRule& rule, const Call& call, int64_t result, uint8_t* to) {
  size_t used = 0;
  for_each_pointer(rule, call, [&](const PointerRule& pointer) {
    if (!comes_out(pointer)) return true;
    const size_t bytes = result_bytes(pointer, call, result);
    memcpy(to + used, reinterpret_cast<const void*>(call.arg[pointer.index]), bytes);
    used += padded(bytes);
    return true;
  });
  return used;
}

int unpack_results(const MarshalRule& rule, const Call& call, int64_t result, const uint8_t* from, size_t bytes,
                   const uint8_t** rest, size_t* rest_bytes) {
  size_t taken = 0;
  int failed = 0;
  for_each_pointer(rule, call, [&](const PointerRule& pointer) {
    if (!comes_out(pointer)) return true;
    const size_t size = result_bytes(pointer, call, result);
    if (size > bytes - taken) return false;
    if (size != 0 && copy_to_program(call.arg[pointer.index], from + taken, size) != 0) {
      failed = pointer.index + 1;
      *rest = from + taken;
      *rest_bytes = size;
      return false;
    }
    taken += padded(size);
    return taken <= bytes;
  });
  return failed;
}

}  // namespace dsm::runtime
