/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_latency KERNEL [PAGES]
 *
 * What one access costs between two nodes. Prints a line of JSON with times in microseconds. The thread that does not
 * measure waits in a barrier meanwhile. Single pages are visited in an order without strides, so that nothing is fetched
 * ahead.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "two_nodes.h"

struct pages {
	size_t count;
	volatile char *at;
	struct samples *samples;
};

/* A permutation of 0 .. count-1 for counts that are powers of two (full-period congruential sequence). */
static size_t next_page(size_t i, size_t count) { return (i * 1664525u + 1013904223u) & (count - 1); }

static void write_all(struct pages *p)
{
	for (size_t i = 0, page = 0; i < p->count; ++i, page = next_page(page, p->count))
		p->at[page * PAGE_BYTES] = 1;
}

static void read_all(struct pages *p)
{
	for (size_t i = 0, page = 0; i < p->count; ++i, page = next_page(page, p->count))
		(void)p->at[page * PAGE_BYTES];
}

static void time_each(struct pages *p, int writing)
{
	for (size_t i = 0, page = 0; i < p->count; ++i, page = next_page(page, p->count)) {
		volatile char *at = &p->at[page * PAGE_BYTES];
		const uint64_t begin = now_ns();

		if (writing)
			*at = 2;
		else
			(void)*at;
		p->samples->ns[p->samples->count++] = now_ns() - begin;
	}
}

/* ---- Kernels: each is run by both roles ------------------------------------------------------------------------ */

static void read_fault(struct lab *lab, enum role role)
{
	struct pages *p = lab->data;

	if (role == ORIGIN)
		write_all(p);
	else
		warm_samples(p->samples);
	both(lab);
	if (role == REMOTE)
		time_each(p, 0);
	both(lab);
}

static void upgrade(struct lab *lab, enum role role)
{
	struct pages *p = lab->data;

	if (role == ORIGIN)
		write_all(p);
	else
		warm_samples(p->samples);
	both(lab);
	if (role == REMOTE)
		read_all(p);
	both(lab);
	if (role == ORIGIN)
		read_all(p);
	both(lab);
	if (role == REMOTE)
		time_each(p, 1);
	both(lab);
}

static void write_move(struct lab *lab, enum role role)
{
	struct pages *p = lab->data;

	if (role == ORIGIN)
		write_all(p);
	else
		warm_samples(p->samples);
	both(lab);
	if (role == REMOTE)
		time_each(p, 1);
	both(lab);
}

/* Time a page of writing to fresh memory from its beginning to its end. */
static void first_touch(struct pages *p)
{
	enum { ROUNDS = 5 };

	warm_samples(p->samples);
	for (int round = 0; round < ROUNDS; ++round) {
		volatile char *fresh = fresh_pages(p->count * PAGE_BYTES);
		const uint64_t begin = now_ns();

		for (size_t i = 0; i < p->count; ++i)
			fresh[i * PAGE_BYTES] = 1;
		p->samples->ns[p->samples->count++] = (now_ns() - begin) / p->count;
		munmap((void *)fresh, p->count * PAGE_BYTES);
	}
}

static void first_touch_origin(struct lab *lab, enum role role)
{
	if (role == ORIGIN)
		first_touch(lab->data);
	both(lab);
}

static void first_touch_vessel(struct lab *lab, enum role role)
{
	if (role == REMOTE)
		first_touch(lab->data);
	both(lab);
}

/* Time a page of reading all that the origin wrote, each word once. */
static void sequential_read(struct lab *lab, enum role role)
{
	struct pages *p = lab->data;
	const size_t words = p->count * PAGE_BYTES / sizeof(uint64_t);
	uint64_t *at = (uint64_t *)p->at;

	if (role == ORIGIN)
		for (size_t i = 0; i < words; ++i)
			at[i] = i;
	else
		warm_samples(p->samples);
	both(lab);
	if (role == REMOTE) {
		uint64_t sum = 0;
		const uint64_t begin = now_ns();

		for (size_t i = 0; i < words; ++i)
			sum += at[i];
		p->samples->ns[p->samples->count++] = (now_ns() - begin) / p->count;
		if (sum != words * (words - 1) / 2) {
			fprintf(stderr, "sequential_read: wrong sum\n");
			exit(1);
		}
	}
	both(lab);
}

static void delegated_syscall(struct lab *lab, enum role role)
{
	struct pages *p = lab->data;

	if (role == REMOTE) {
		warm_samples(p->samples);
		for (size_t i = 0; i < p->count; ++i) {
			const uint64_t begin = now_ns();

			syscall(SYS_getppid);
			p->samples->ns[p->samples->count++] = now_ns() - begin;
		}
	}
	both(lab);
}

/* There and back between two sleeping threads: each stores the other's word and wakes it. */
static void futex_pingpong(struct lab *lab, enum role role)
{
	struct pages *p = lab->data;
	uint32_t *words = (uint32_t *)p->at;
	uint32_t *mine = &words[role], *others = &words[1 - role];
	const uint32_t rounds = (uint32_t)p->count;

	if (role == REMOTE)
		warm_samples(p->samples);
	both(lab);
	for (uint32_t round = 1; round <= rounds; ++round) {
		const uint64_t begin = now_ns();

		if (role == REMOTE) {
			__atomic_store_n(others, round, __ATOMIC_RELEASE);
			syscall(SYS_futex, others, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		}
		while (__atomic_load_n(mine, __ATOMIC_ACQUIRE) != round)
			syscall(SYS_futex, mine, FUTEX_WAIT_PRIVATE, round - 1, NULL, NULL, 0);
		if (role == ORIGIN) {
			__atomic_store_n(others, round, __ATOMIC_RELEASE);
			syscall(SYS_futex, others, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		} else {
			p->samples->ns[p->samples->count++] = now_ns() - begin;
		}
	}
	both(lab);
}

static const struct kernel {
	const char *name;
	role_body *body;
	size_t pages;    /* a power of two where they are visited one by one; or repetitions */
} kernels[] = {
	{ "read_fault", read_fault, 2048 },
	{ "upgrade", upgrade, 2048 },
	{ "write_move", write_move, 2048 },
	{ "first_touch_origin", first_touch_origin, 16384 },
	{ "first_touch_vessel", first_touch_vessel, 16384 },
	{ "sequential_read", sequential_read, 65536 },
	{ "delegated_syscall", delegated_syscall, 5000 },
	{ "futex_pingpong", futex_pingpong, 500 },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(kernels) / sizeof(kernels[0]); ++i) {
		struct pages *p;

		if (strcmp(argv[1], kernels[i].name))
			continue;
		p = fresh_pages(sizeof(*p));
		p->count = argc > 2 ? strtoul(argv[2], NULL, 10) : kernels[i].pages;
		p->at = fresh_pages(p->count * PAGE_BYTES);
		p->samples = new_samples(p->count);
		on_both_nodes(kernels[i].body, p);
		print_samples(kernels[i].name, p->samples);
		return 0;
	}
	fprintf(stderr, "usage: page_latency KERNEL [PAGES]\n");
	return 2;
}
