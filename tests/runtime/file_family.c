/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file and process families: the runtime's descriptors cannot be seen or closed, limits are the program's own, what names
 * this process names the program, execve reports its errors. Passes natively, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

#define EXPECT(condition)                                                              \
	do {                                                                           \
		if (!(condition)) {                                                    \
			fprintf(stderr, "file_family: line %d: %s (errno %d)\n", __LINE__, #condition, errno); \
			failures++;                                                    \
		}                                                                      \
	} while (0)

static volatile char page_of_data[8192] = {1};

static void descriptors(void)
{
	int fd, i;

	for (fd = 3; fd < 70000; fd++)
		close(fd);   /* what the caller has left open; everything of the runtime's withstands it */
	for (fd = 3; fd < 70000; fd++)
		EXPECT(close(fd) == -1 && errno == EBADF);
	EXPECT(close_range(3, ~0U, 0) == 0);
	EXPECT(close_range(5, 4, 0) == -1 && errno == EINVAL);
	fd = open("/dev/null", O_RDWR);
	EXPECT(fd == 3);
	for (i = 4; i < 64; i++)
		EXPECT(dup(fd) == i);
	EXPECT(close_range(3, 63, 0) == 0);
	EXPECT(fcntl(3, F_GETFD) == -1);
	/* Everything is still there: a mapping, a page that is touched first now. */
	char *memory = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(memory != MAP_FAILED);
	memory[12345] = 1;
	page_of_data[5000] = 2;
	EXPECT(munmap(memory, 1 << 20) == 0);
}

static void limits(void)
{
	struct rlimit before, low = {64, 64}, now;

	EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
	low.rlim_max = before.rlim_max;
	EXPECT(setrlimit(RLIMIT_NOFILE, &low) == 0);
	EXPECT(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 64 && now.rlim_max == before.rlim_max);
	int fd, last = -1;
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	EXPECT(errno == EMFILE && last == 63);
	/* A private mapping of a file keeps a descriptor of its own, above the limit. */
	close(last);
	fd = open("/proc/self/exe", O_RDONLY);
	EXPECT(fd >= 0);
	char *text = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	EXPECT(text != MAP_FAILED && memcmp(text, "\177ELF", 4) == 0);
	for (fd = 3; fd < 64; fd++)
		close(fd);
	text[1] = 'X';
	EXPECT(madvise(text, 4096, MADV_DONTNEED) == 0 && text[1] == 'E');
	EXPECT(munmap(text, 4096) == 0);
	EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

static void identity(const char *self)
{
	char path[4096], real[4096], name[32];
	struct stat by_link, by_path;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	EXPECT(n > 0);
	path[n > 0 ? n : 0] = 0;
	EXPECT(realpath(self, real) && strcmp(real, path) == 0);
	snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
	EXPECT(readlink(path, name, 5) == 5 && memcmp(name, real, 5) == 0);
	EXPECT(stat("/proc/self/exe", &by_link) == 0 && stat(real, &by_path) == 0 && by_link.st_ino == by_path.st_ino);
	EXPECT(prctl(PR_GET_NAME, name) == 0 && strncmp(strrchr(self, '/') + 1, name, 15) == 0);
	FILE *f = fopen("/proc/self/cmdline", "r");
	n = f ? (ssize_t)fread(path, 1, sizeof(path) - 1, f) : 0;
	EXPECT(n > 0 && strcmp(path, self) == 0);
	if (f)
		fclose(f);
	EXPECT(getpid() == (pid_t)syscall(SYS_getpid) && getpid() == (pid_t)syscall(SYS_gettid));
}

static void processors(void)
{
	cpu_set_t all, one, now;
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	char line[64] = "";
	unsigned cpu = 0;

	EXPECT(sched_getaffinity(0, sizeof(all), &all) == 0);
	EXPECT(CPU_COUNT(&all) <= online && online == get_nprocs());
	CPU_ZERO(&one);
	CPU_SET((int)(online - 1), &one);
	EXPECT(sched_setaffinity(0, sizeof(one), &one) == 0);
	EXPECT(sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &one));
	EXPECT(sched_setaffinity(0, sizeof(all), &all) == 0);
	CPU_ZERO(&one);
	EXPECT(sched_setaffinity(0, sizeof(one), &one) == -1 && errno == EINVAL);
	EXPECT(syscall(SYS_getcpu, &cpu, 0, 0) == 0 && (long)cpu < online);
	int fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	EXPECT(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0);
	EXPECT(online == 1 ? line[0] == '0' : atoi(strrchr(line, '-') + 1) == online - 1);
	close(fd);
}

static void refusals(void)
{
	char *const argv[] = {"x", 0};
	char name[] = "/tmp/file_family_XXXXXX";

	EXPECT(execv("/nonexistent/x", argv) == -1 && errno == ENOENT);
	EXPECT(execv("/tmp", argv) == -1 && errno == EACCES);
	EXPECT(execv("/etc/passwd", argv) == -1 && errno == EACCES);
	EXPECT(syscall(SYS_execve, 8, argv, 0) == -1 && errno == EFAULT);
	EXPECT(syscall(SYS_execve, "/bin/true", 8, 0) == -1 && errno == EFAULT);
	int fd = mkstemp(name);
	EXPECT(write(fd, "not a program\n", 14) == 14 && fchmod(fd, 0755) == 0 && close(fd) == 0);
	EXPECT(execv(name, argv) == -1 && errno == ENOEXEC);
	unlink(name);
	EXPECT(mmap(0, 4096, PROT_READ, MAP_PRIVATE, 999, 0) == MAP_FAILED && errno == EBADF);
	EXPECT(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	EXPECT(munmap((void *)1, 4096) == -1 && errno == EINVAL);
	EXPECT(mprotect((void *)0x10000000, 4096, PROT_READ) == -1 && errno == ENOMEM);
	EXPECT(madvise((void *)&failures, 1, MADV_DONTNEED) == -1 && errno == EINVAL);
}

static void kinds_of_memory(void)
{
	char *low = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	EXPECT(low != MAP_FAILED && (unsigned long)low < 1UL << 31);
	low[0] = 1;
	EXPECT(mmap(low, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
	EXPECT(munmap(low, 65536) == 0);

	int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
	EXPECT(id >= 0);
	char *segment = shmat(id, 0, 0);
	EXPECT(segment != (char *)-1);
	strcpy(segment, "segment");
	char *again = shmat(id, 0, SHM_RDONLY);
	EXPECT(again != (char *)-1 && strcmp(again, "segment") == 0);
	EXPECT(shmdt(again) == 0 && shmdt(segment) == 0 && shmdt(segment) == -1);
	shmctl(id, IPC_RMID, 0);

	char name[] = "/tmp/file_family_XXXXXX";
	int fd = mkstemp(name);
	EXPECT(ftruncate(fd, 8192) == 0);
	char *shared = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(shared != MAP_FAILED);
	strcpy(shared + 4096, "written through");
	char text[16] = "";
	EXPECT(pread(fd, text, 15, 4096) == 15 && strcmp(text, "written through") == 0);
	shared = mremap(shared, 8192, 65536, MREMAP_MAYMOVE);
	EXPECT(shared != MAP_FAILED && strcmp(shared + 4096, "written through") == 0);
	EXPECT(msync(shared, 4096, MS_SYNC) == 0 && munmap(shared, 65536) == 0);
	close(fd);
	unlink(name);

	char *mine = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mine[0] = 7;
	pid_t pid = fork();
	if (pid == 0) {
		mine[0]++;
		_exit(mine[0]);
	}
	int status = 0;
	EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 8);
	EXPECT(mine[0] == 7);

	void *start = sbrk(0);
	EXPECT(sbrk(1 << 20) == start);
	memset(start, 1, 1 << 20);
	EXPECT(sbrk(-(1 << 20)) == (char *)start + (1 << 20) && sbrk(0) == start);
	EXPECT(sbrk(1 << 20) == start && ((char *)start)[70000] == 0);
}

int main(int argc, char **argv)
{
	(void)argc;
	descriptors();
	limits();
	identity(argv[0]);
	processors();
	refusals();
	kinds_of_memory();
	if (failures == 0)
		puts("file_family: ok");
	return failures != 0;
}
