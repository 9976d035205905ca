/* SPDX-License-Identifier: Apache-2.0 */
/* One small program, linked in every way in which a program can be: it says what the loader gave it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static int zeros[40000];
static int data = 5;
static __thread int of_thread = 6;

int main(int argc, char **argv)
{
	unsigned long sum = 0;
	unsigned i;

	for (i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
		sum += (unsigned)zeros[i];
	char *heap = malloc(1 << 20);
	memset(heap, 1, 1 << 20);
	printf("%d %s %s %d %d %lu\n", argc, argv[1], getenv("PATH") != NULL ? "PATH" : "-", data, of_thread, sum);
	printf("%lu %d %d\n", getauxval(AT_PAGESZ), getauxval(AT_ENTRY) != 0, getauxval(AT_RANDOM) != 0);
	printf("%s %s\n", (const char *)getauxval(AT_EXECFN), (const char *)getauxval(AT_PLATFORM));
	return 3;
}
