/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdsm.so, second duty: the functions of dsm.h. Under dsm they are system calls that the runtime answers; alone the
 * kernel says ENOSYS to them, which is how a program learns that it runs alone.
 */
#include "dsm/dsm.h"

#include <errno.h>
#include <string.h>

#include "libdsm/runtime/dsm_calls.h"

static long dsm_call(long number, void *argument)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(argument) : "rcx", "r11", "memory");
	return result;
}

int dsm_version(void)
{
	return DSM_VERSION_MAJOR * 10000 + DSM_VERSION_MINOR * 100 + DSM_VERSION_PATCH;
}

int dsm_node_count(void)
{
	long nodes = dsm_call(DSM_CALL_NODE_COUNT, 0);

	return nodes > 0 ? (int)nodes : 1;
}

int dsm_node(void)
{
	long node = dsm_call(DSM_CALL_NODE, 0);

	return node > 0 ? (int)node : 0;
}

int dsm_migrate(int node)
{
	return (int)dsm_call(DSM_CALL_MIGRATE, (void *)(long)node);
}

int dsm_get_stats(struct dsm_stats *stats)
{
	long result = dsm_call(DSM_CALL_STATS, stats);

	if (result == -ENOSYS)
		memset(stats, 0, sizeof(*stats));
	return (int)result;
}
