/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsm.h - optional hints and questions for programs that run under dsm.
 *
 * No program needs this header. A program linked with -ldsm, or one that only includes the header (all functions are
 * weak then: test the function's address before calling it), runs alone as well: it is told that there is one node.
 *
 * All functions are safe to call from any thread at any time, also from signal handlers, and set no errno.
 */
#ifndef DSM_DSM_H
#define DSM_DSM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DSM_VERSION_MAJOR 0
#define DSM_VERSION_MINOR 1
#define DSM_VERSION_PATCH 0
#define DSM_VERSION_STRING "0.1.0"

#define DSM_WEAK __attribute__((weak))

/* Version of the library at run time, as major * 10000 + minor * 100 + patch. */
DSM_WEAK int dsm_version(void);

/* Number of nodes of the job; 1 when the program runs alone. */
DSM_WEAK int dsm_node_count(void);

/* Node on which the calling thread runs now, 0 (the origin) to dsm_node_count() - 1. It may be out of date as soon
 * as it is returned, since threads can be moved. */
DSM_WEAK int dsm_node(void);

/* Moves the calling thread to `node` and returns there. Everything that the thread is moves along; what it touches next is
 * fetched from where it is.
 * Returns 0, also when it is there already; -ENOSYS when the program runs alone; -EINVAL when there is no such node;
 * -EBUSY when that node is drained (the thread may have come to node 0 then). */
DSM_WEAK int dsm_migrate(int node);

/* Counters of the origin's agent since the job began. Sizes in bytes. */
struct dsm_stats {
  uint64_t read_faults;
  uint64_t write_faults;
  uint64_t pages_in;
  uint64_t pages_out;
  uint64_t bytes_in;
  uint64_t bytes_out;
};

/* Fills *stats. Returns 0, or -ENOSYS when the program runs alone (and *stats is zero), -EFAULT for a bad pointer. */
DSM_WEAK int dsm_get_stats(struct dsm_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
