/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system call numbers behind dsm.h, for C and C++. Far above any kernel's table: alone, the kernel answers ENOSYS;
 * under dsm every number is trapped and the runtime answers.
 */
#pragma once

#define DSM_CALL_BASE 0x64736d00L
#define DSM_CALL_VERSION (DSM_CALL_BASE + 0)    /* () -> version of the runtime's ABI */
#define DSM_CALL_NODE_COUNT (DSM_CALL_BASE + 1) /* () -> number of nodes */
#define DSM_CALL_NODE (DSM_CALL_BASE + 2)       /* () -> node of the calling thread */
#define DSM_CALL_STATS (DSM_CALL_BASE + 3)      /* (struct dsm_stats *) -> 0, -EFAULT */
#define DSM_CALL_MIGRATE (DSM_CALL_BASE + 4)    /* (node) -> 0, -EINVAL, -EBUSY */
#define DSM_CALL_CHECKPOINT (DSM_CALL_BASE + 5) /* () -> 0, 1 in the process made from it, -EBUSY, -ETIMEDOUT, -EOPNOTSUPP */
#define DSM_CALL_END (DSM_CALL_BASE + 6)
