// SPDX-License-Identifier: Apache-2.0
// Loads and stores of one word that other threads (or the agent) see, for enums as well: clang's __atomic_..._n takes
// integers and pointers only. Any context.
#pragma once

namespace dsm::runtime {

template <typename T>
inline T load_relaxed(const T& from) {
  T value;
  __atomic_load(&from, &value, __ATOMIC_RELAXED);
  return value;
}

template <typename T>
inline T load_acquire(const T& from) {
  T value;
  __atomic_load(&from, &value, __ATOMIC_ACQUIRE);
  return value;
}

template <typename T>
inline void store_relaxed(T& to, T value) {
  __atomic_store(&to, &value, __ATOMIC_RELAXED);
}

template <typename T>
inline void store_release(T& to, T value) {
  __atomic_store(&to, &value, __ATOMIC_RELEASE);
}

template <typename T>
inline T load_ordered(const T& from) {   // in one total order with store_ordered
  T value;
  __atomic_load(&from, &value, __ATOMIC_SEQ_CST);
  return value;
}

template <typename T>
inline void store_ordered(T& to, T value) {
  __atomic_store(&to, &value, __ATOMIC_SEQ_CST);
}

}  // namespace dsm::runtime
