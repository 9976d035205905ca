/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads, one on each node, that take turns: what the bench's kernels share. Plain pthreads; alone (natively) both
 * run on the same machine and the same code gives the native figure.
 */
#pragma once
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "libdsm/include/dsm/dsm.h"

enum { PAGE_BYTES = 4096, ROLES = 2 };
enum role { ORIGIN = 0, REMOTE = 1 };

struct lab;
typedef void role_body(struct lab *lab, enum role role);

/* Everything that both threads write has a page of its own. */
struct lab {
	_Alignas(PAGE_BYTES) pthread_barrier_t barrier;
	_Alignas(PAGE_BYTES) role_body *body;
	void *data;      /* of the kernel */
	int nodes;
	volatile int found[ROLES];   /* atomically */
	_Alignas(PAGE_BYTES) char end[PAGE_BYTES];
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void *fresh_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static inline void both(struct lab *lab) { pthread_barrier_wait(&lab->barrier); }

static inline void *placed_main(void *argument)
{
	struct lab *lab = argument;
	const int node = lab->nodes > 1 ? dsm_node() : -1;
	int role = node;

	if (node < 0)
		role = __atomic_fetch_add(&lab->found[ORIGIN], 1, __ATOMIC_ACQ_REL);
	else if (node >= ROLES || __atomic_exchange_n(&lab->found[node], 1, __ATOMIC_ACQ_REL))
		return NULL;
	both(lab);
	lab->body(lab, (enum role)role);
	return NULL;
}

/* Runs `body` once on each of the two nodes; threads are made, one after another, until both have one. */
static inline void on_both_nodes(role_body *body, void *data)
{
	enum { MOST_THREADS = 16, TRIES = 200 };
	const struct timespec pause = { 0, 2000000 };
	pthread_t threads[MOST_THREADS];
	struct lab *lab = fresh_pages(sizeof(*lab));
	int count = 0;

	pthread_barrier_init(&lab->barrier, NULL, ROLES);
	lab->body = body;
	lab->data = data;
	lab->nodes = dsm_node_count();
	for (int found = 0; found < ROLES && count < MOST_THREADS;) {
		const int before = found;

		if (pthread_create(&threads[count++], NULL, placed_main, lab)) {
			perror("pthread_create");
			exit(1);
		}
		/* It takes a role, or it has come to a node that has one and ends; which, shows in a moment. */
		for (int tries = 0; tries < TRIES && found == before; ++tries) {
			found = lab->found[ORIGIN] + lab->found[REMOTE];
			if (found == before)
				nanosleep(&pause, NULL);
		}
	}
	if (lab->found[ORIGIN] + lab->found[REMOTE] < ROLES) {
		fprintf(stderr, "no thread came to run on node %d\n", lab->found[ORIGIN] ? 1 : 0);
		exit(3);
	}
	for (int i = 0; i < count; ++i)
		pthread_join(threads[i], NULL);
	munmap(lab, sizeof(*lab));
}

/* Samples of one measurement, in ns, on pages of their own that the measuring thread has touched before. */
struct samples {
	size_t count, room;
	uint64_t *ns;
};

static inline struct samples *new_samples(size_t room)
{
	struct samples *s = fresh_pages(sizeof(*s));

	s->room = room;
	s->ns = fresh_pages(room * sizeof(s->ns[0]));
	return s;
}

static inline void warm_samples(struct samples *s)
{
	memset(s->ns, 0, s->room * sizeof(s->ns[0]));
	s->count = 0;
}

static inline int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static inline void print_samples(const char *name, struct samples *s)
{
	qsort(s->ns, s->count, sizeof(s->ns[0]), by_value);
	printf("{\"name\":\"%s\",\"median_us\":%.3f,\"p10_us\":%.3f,\"p99_us\":%.3f,\"samples\":%zu}\n", name,
	       (double)s->ns[s->count / 2] / 1000, (double)s->ns[s->count / 10] / 1000,
	       (double)s->ns[s->count * 99 / 100] / 1000, s->count);
	fflush(stdout);
}
