// SPDX-License-Identifier: Apache-2.0
// Bounded messages on the process's stderr, each one write(2) of `dsm-runtime: ...`. Any context; allocates nothing.
//   %s text  %d signed decimal (int64_t)  %x hexadecimal (uint64_t)  %%
#pragma once
#include <stdint.h>

namespace dsm::runtime {

namespace detail {
union LogArgument {
  LogArgument(const char* value) : text(value) {}
  LogArgument(const void* value) : number(static_cast<int64_t>(reinterpret_cast<uint64_t>(value))) {}
  template <typename T>
  LogArgument(T value) : number(static_cast<int64_t>(value)) {}
  const char* text;
  int64_t number;
};
void log_line(const char* format, const LogArgument* argument, unsigned count);
[[noreturn]] void die(int status);
}  // namespace detail

template <typename... Args>
void log(const char* format, Args... args) {
  const detail::LogArgument list[sizeof...(Args) + 1] = {args..., 0};
  detail::log_line(format, list, sizeof...(Args));
}

// The user's surroundings are at fault, or the agent is gone: one line, and the process exits with kExitOurs.
template <typename... Args>
[[noreturn]] void fail(const char* format, Args... args) {
  log(format, args...);
  detail::die(125);
}

// An invariant of ours: stays on in release builds.
#define RT_CHECK(expression)                                                                           \
  do {                                                                                                 \
    if (__builtin_expect(!(expression), 0))                                                            \
      ::dsm::runtime::fail("BUG: %s at %s:%d", #expression, __FILE_NAME__, __LINE__);                  \
  } while (0)

// A system call of the runtime's own that cannot fail unless we or the kernel are broken; yields its result.
#define RT_MUST(call)                                                                                  \
  ({                                                                                                   \
    const int64_t must_result = (call);                                                                \
    if (__builtin_expect(::dsm::runtime::is_error(must_result), 0))                                    \
      ::dsm::runtime::fail("BUG: %s = %d at %s:%d", #call, must_result, __FILE_NAME__, __LINE__);      \
    must_result;                                                                                       \
  })

}  // namespace dsm::runtime
