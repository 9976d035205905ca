/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_kernels KERNEL [SECONDS or ROUNDS]
 *
 * How two nodes get along on one page: what leases are for, and what they must not make worse. Prints a line of JSON.
 */
#include <semaphore.h>
#include <unistd.h>

#include "two_nodes.h"

/* Everything that is not meant to be shared has a page of its own. */
struct shared {
	size_t amount;
	struct samples *samples;
	uint64_t elapsed_ns;
	uint64_t operations[ROLES];
	_Alignas(PAGE_BYTES) volatile uint64_t word[PAGE_BYTES / 8];
	_Alignas(PAGE_BYTES) pthread_mutex_t mutex;
	uint64_t guarded;
	_Alignas(PAGE_BYTES) uint32_t waiting;
	uint32_t sense;
	struct {
		_Alignas(PAGE_BYTES) sem_t turn;
	} side[ROLES];
	_Alignas(PAGE_BYTES) char end[PAGE_BYTES];
};

/* Both write a word of their own, of the same page, for `amount` seconds. */
static void false_sharing(struct lab *lab, enum role role)
{
	struct shared *s = lab->data;
	volatile uint64_t *word = &s->word[role * 64];
	uint64_t operations = 0, deadline;

	both(lab);
	deadline = now_ns() + s->amount * 1000000000u;
	do {
		for (int i = 0; i < 64; ++i, ++operations)
			*word = operations + 1;
	} while (now_ns() < deadline);
	if (*word != operations) {
		fprintf(stderr, "false_sharing: a write was lost\n");
		exit(1);
	}
	s->operations[role] = operations;
	both(lab);
}

/* The same by one node alone, while the other is idle. */
static void alone(struct lab *lab, enum role role)
{
	struct shared *s = lab->data;
	uint64_t operations = 0, deadline;

	if (role == ORIGIN) {
		deadline = now_ns() + s->amount * 1000000000u;
		do {
			for (int i = 0; i < 64; ++i, ++operations)
				s->word[0] = operations + 1;
		} while (now_ns() < deadline);
		s->operations[role] = operations;
	}
	both(lab);
}

/* Takes turns: write the page, wake the other, sleep. The one that was woken waits until the other sleeps and then takes
 * the page: that is timed. */
static void stall_blocked(struct lab *lab, enum role role)
{
	enum { BURST = 32 };
	const struct timespec until_it_sleeps = { 0, 300000 };
	struct shared *s = lab->data;

	if (role == REMOTE)
		warm_samples(s->samples);
	both(lab);
	for (size_t round = 0; round < s->amount; ++round) {
		uint64_t begin;

		if (role == REMOTE || round > 0)
			sem_wait(&s->side[role].turn);
		nanosleep(&until_it_sleeps, NULL);
		begin = now_ns();
		for (int i = 0; i < BURST; ++i) {
			s->word[role] = round + (uint64_t)i;
			if (i == 0 && role == REMOTE)
				s->samples->ns[s->samples->count++] = now_ns() - begin;
		}
		sem_post(&s->side[1 - role].turn);
	}
	both(lab);
}

/* As before, but the former holder computes on pages of its own instead of sleeping. */
static void stall_computing(struct lab *lab, enum role role)
{
	enum { BURST = 32 };
	static const uint64_t kComputeNs = 3000000;
	struct shared *s = lab->data;

	if (role == REMOTE)
		warm_samples(s->samples);
	both(lab);
	for (size_t round = 0; round < s->amount; ++round) {
		volatile uint64_t work = 0;
		uint64_t begin;

		if (role == REMOTE || round > 0)
			sem_wait(&s->side[role].turn);
		begin = now_ns();
		for (int i = 0; i < BURST; ++i) {
			s->word[role] = round + (uint64_t)i;
			if (i == 0 && role == REMOTE)
				s->samples->ns[s->samples->count++] = now_ns() - begin;
		}
		sem_post(&s->side[1 - role].turn);
		for (begin = now_ns(); now_ns() - begin < kComputeNs;)
			work = work + 1;
	}
	both(lab);
}

static void lock_handoff(struct lab *lab, enum role role)
{
	struct shared *s = lab->data;
	uint64_t begin;

	both(lab);
	begin = now_ns();
	for (size_t i = 0; i < s->amount; ++i) {
		pthread_mutex_lock(&s->mutex);
		++s->guarded;
		pthread_mutex_unlock(&s->mutex);
	}
	both(lab);
	if (role == ORIGIN)
		s->elapsed_ns = now_ns() - begin;
	if (s->guarded != 2 * s->amount) {
		fprintf(stderr, "lock_handoff: %lu instead of %lu\n", (unsigned long)s->guarded, 2 * (unsigned long)s->amount);
		exit(1);
	}
	both(lab);
}

static void spin_barrier(struct lab *lab, enum role role)
{
	struct shared *s = lab->data;
	uint32_t sense = 0;
	uint64_t begin;

	both(lab);
	begin = now_ns();
	for (size_t i = 0; i < s->amount; ++i) {
		sense = !sense;
		if (__atomic_add_fetch(&s->waiting, 1, __ATOMIC_ACQ_REL) == ROLES) {
			s->waiting = 0;
			__atomic_store_n(&s->sense, sense, __ATOMIC_RELEASE);
		} else {
			while (__atomic_load_n(&s->sense, __ATOMIC_ACQUIRE) != sense)
				__builtin_ia32_pause();
		}
	}
	both(lab);
	if (role == ORIGIN)
		s->elapsed_ns = now_ns() - begin;
	both(lab);
}

static void print_operations(const char *name, struct shared *s)
{
	printf("{\"name\":\"%s\",\"seconds\":%zu,\"operations\":[%lu,%lu]}\n", name, s->amount,
	       (unsigned long)s->operations[0], (unsigned long)s->operations[1]);
}

static void print_times(const char *name, struct shared *s) { print_samples(name, s->samples); }

static void print_elapsed(const char *name, struct shared *s)
{
	printf("{\"name\":\"%s\",\"rounds\":%zu,\"elapsed_us\":%.1f}\n", name, s->amount, (double)s->elapsed_ns / 1000);
}

static const struct kernel {
	const char *name;
	role_body *body;
	void (*print)(const char *name, struct shared *s);
	size_t amount;
} kernels[] = {
	{ "false_sharing", false_sharing, print_operations, 5 },
	{ "alone", alone, print_operations, 2 },
	{ "stall_blocked", stall_blocked, print_times, 2000 },
	{ "stall_computing", stall_computing, print_times, 200 },
	{ "lock_handoff", lock_handoff, print_elapsed, 20000 },
	{ "spin_barrier", spin_barrier, print_elapsed, 2000 },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(kernels) / sizeof(kernels[0]); ++i) {
		struct shared *s;

		if (strcmp(argv[1], kernels[i].name))
			continue;
		s = fresh_pages(sizeof(*s));
		s->amount = argc > 2 ? strtoul(argv[2], NULL, 10) : kernels[i].amount;
		s->samples = new_samples(s->amount);
		pthread_mutex_init(&s->mutex, NULL);
		for (int side = 0; side < ROLES; ++side)
			sem_init(&s->side[side].turn, 0, 0);
		on_both_nodes(kernels[i].body, s);
		kernels[i].print(kernels[i].name, s);
		return 0;
	}
	fprintf(stderr, "usage: lease_kernels KERNEL [AMOUNT]\n");
	return 2;
}
