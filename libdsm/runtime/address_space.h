// SPDX-License-Identifier: Apache-2.0
// The program's address space at the origin: the map of its ranges and the operations behind mmap and its relatives.
// Every operation keeps three parties in step: the kernel's mappings, the agent's map, and the content that other nodes
// hold. Order of steps (abi.h): a new range is mapped PROT_NONE, made known to the agent, which registers it, and only
// then accessible; an old one is unmapped first and then forgotten and dropped by the agent.
//
// Context: handler at the origin (dispatch.h). The public operations take the memory lock; their arguments are the program's,
// unchecked, and they return what the system call returns. Files: address_space.cc (map, unmap, brk), address_protect.cc,
// address_remap.cc, address_advise.cc, address_segment.cc (SysV), address_limits.cc, address_lock.cc, address_resident.cc.
#pragma once
#include "libdsm/runtime/lock.h"
#include "libdsm/runtime/program_map.h"

namespace dsm::image {
struct Range;   // process_image.h
}

namespace dsm::runtime {

struct NativeRange;   // address_join.cc

class AddressSpace {
 public:
  // Empty but for the runtime's own range. `top`: end of the highest mapping whose place we choose.
  void initialise(Arena& arena, uint64_t top);
  void set_top(uint64_t top) { top_ = top; }
  void set_break(uint64_t start) { break_start_ = break_now_ = start; }

  int64_t map(uint64_t address, uint64_t length, uint64_t prot, uint64_t flags, int64_t fd, uint64_t offset);
  int64_t unmap(uint64_t address, uint64_t length);
  int64_t protect(uint64_t address, uint64_t length, uint64_t prot);
  int64_t remap(uint64_t old_address, uint64_t old_length, uint64_t new_length, uint64_t flags, uint64_t new_address);
  int64_t advise(uint64_t address, uint64_t length, int64_t advice);
  int64_t set_break_to(uint64_t address);
  int64_t set_native_break(uint64_t address);                            // brk of a lone process
  int64_t attach_segment(int64_t id, uint64_t address, uint64_t flags);   // shmat
  int64_t detach_segment(uint64_t address);                              // shmdt
  int64_t lock_range(uint64_t address, uint64_t length);                 // mlock, mlock2
  int64_t unlock_range(uint64_t address, uint64_t length);
  int64_t lock_all(uint64_t flags);
  int64_t unlock_all();
  int64_t resident(uint64_t address, uint64_t length, uint64_t vector);   // mincore
  // The size of the file behind `fd` has changed: no node shows the old pages of read-only mappings any more.
  void file_resized(int64_t fd);
  // A touch at `address`, where nothing is: grows the stack above it (MAP_GROWSDOWN) if it may. True: touch again.
  bool grow_stack(uint64_t address);
  // A free place for `length` bytes, for the program loader: nothing is mapped yet.
  uint64_t find_room(uint64_t length, uint64_t align);

  // In a forked child: the kernel alone knows from here on what is mapped.
  void forget();
  // The process joins its job (address_join.cc): what the kernel has mapped becomes the program's memory. Single-threaded, the agent
  // has said Welcome. A failure ends the process: there is no way back.
  void take_over_native();

  // Before a fork, lock() held and the program's threads stopped: shared anonymous memory leaves the memfd, so that the child
  // can share it. -ENOMEM: some of it has not; the rest works either way.
  int64_t pin_shared();
  // For process images: what ranges() does not say, and setting it in a new process. Then, in ascending order, each of the image's ranges of
  // program memory (address_restore.cc); `file_fd` -1: none. 0 or -errno.
  void describe_layout(uint64_t& top, uint64_t& break_start, uint64_t& break_now, uint32_t& lock_future) const;
  void restore_layout(uint64_t top, uint64_t break_start, uint64_t break_now, bool lock_future);
  int64_t restore_private(const image::Range& range, int file_fd, const uint8_t* content);
  int64_t restore_file_read(const image::Range& range, int file_fd);
  int64_t restore_pinned(const image::Range& range, int file_fd, const uint8_t* content);
  // For fork, checkpoints and /proc: hold lock() meanwhile.
  const ProgramMap& ranges() const { return map_; }
  uint64_t break_start() const { return break_start_; }
  uint64_t break_now() const { return break_now_; }
  Lock& lock() { return lock_; }

 private:
  // What map() has found out about its arguments.
  struct NewMapping {
    uint64_t start, end;
    uint32_t prot;
    uint64_t flags;
    int64_t fd;
    uint64_t offset;
  };
  // All of these: memory lock held.
  int64_t map_alone(uint64_t address, uint64_t length, uint64_t prot, uint64_t flags, int64_t fd, uint64_t offset) const;
  void take_over(const NativeRange& range);
  uint64_t move_into_memory_file(const NativeRange& range, FileReference* file);
  int64_t choose(uint64_t hint, uint64_t length, uint64_t flags) const;
  int64_t check_file(const NewMapping& mapping, bool* is_anonymous, bool* is_native) const;
  int64_t clear(uint64_t start, uint64_t end);
  int64_t add_private(const NewMapping& mapping, uint32_t range_flags, FileReference* file);
  int64_t add_file_copy(const NewMapping& mapping, uint32_t range_flags, FileReference* file);
  int64_t add_file_read(const NewMapping& mapping, FileReference* file);
  int64_t add_pinned(const NewMapping& mapping);
  int64_t note(const Range& range);
  int64_t make_writable(const Range& range, uint64_t start, uint64_t end, uint32_t prot);
  int64_t protect_piece(const Range& range, uint64_t start, uint64_t end, uint32_t prot);
  int64_t grow_in_place(const Range& range, uint64_t old_end, uint64_t new_end);
  int64_t move_private(const Range& range, uint64_t old_start, uint64_t old_length, uint64_t new_start, uint64_t new_length,
                       bool keep_old);
  int64_t move_native(const Range& range, uint64_t old_start, uint64_t old_length, uint64_t new_start,
                      uint64_t new_length);
  int64_t duplicate_native(const Range& range, uint64_t old_start, uint64_t length, uint64_t new_start);
  int64_t advise_piece(const Range& range, uint64_t start, uint64_t end, int64_t advice);
  int64_t discard(const Range& range, uint64_t start, uint64_t end, int64_t advice);
  int64_t pin(const Range& range);
  int64_t check_growth(uint64_t bytes, uint32_t prot, uint32_t range_flags) const;
  int64_t check_lock(uint64_t bytes) const;
  int64_t change_lock(uint64_t start, uint64_t end, uint32_t set, uint32_t clear);
  template <class Counts>
  uint64_t bytes_where(uint64_t start, uint64_t end, Counts counts) const;

  Lock lock_;
  ProgramMap map_;
  FileReferences files_;
  uint64_t top_ = 0;
  uint64_t break_start_ = 0, break_now_ = 0;
  bool lock_future_ = false;   // mlockall(MCL_FUTURE)
};

// The bytes of [start,end) in ranges for which counts(range).
template <class Counts>
uint64_t AddressSpace::bytes_where(uint64_t start, uint64_t end, Counts counts) const {
  uint64_t bytes = 0;
  for (size_t i = map_.first_after(start); i < map_.size() && map_.at(i).start < end; i++) {
    const Range& range = map_.at(i);
    if ((range.flags & kRangeRuntime) != 0 || !counts(range)) continue;
    bytes += (range.end < end ? range.end : end) - (range.start > start ? range.start : start);
  }
  return bytes;
}

// Reads the file's bytes into accessible memory; beyond the end of the file the memory is left as it is.
void fill_from_file(uint64_t start, uint64_t end, const FileReference& file, uint64_t offset);
// What the memfd holds of [start,end), copied to `to`, which is zero where it holds nothing.
void copy_memory_file(uint64_t to, uint64_t start, uint64_t end);
// Page after page is touched, for writing or reading, so that it is there; ends at the first that cannot be.
// Trap handler of either role, no lock held.
void touch_pages(uint64_t start, uint64_t bytes, bool for_writing);
// How many of `length` bytes at `offset` the file has now.
uint64_t file_bytes_behind(const FileReference& file, uint64_t offset, uint64_t length);
// The kernel's mapping of registered program memory, inaccessible at first.
int64_t map_memory_file(uint64_t start, uint64_t end);
int64_t native_protect(uint64_t start, uint64_t end, uint32_t prot);

}  // namespace dsm::runtime
