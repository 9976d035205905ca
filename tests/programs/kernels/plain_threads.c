// SPDX-License-Identifier: Apache-2.0
// An ordinary small program: a queue of jobs under a mutex and a condition variable, workers that
// allocate and format text, a file written and read back. Built as PIE, non-PIE, static and
// static PIE, because each of these is loaded in another way.
//
//   plain_threads [threads] [jobs] [work]    makes and removes plain_threads.data
#include "selfcheck.h"

enum { kMostThreads = 16, kMostJobs = 4096 };

struct job {
  long number;
  char* text;
};

static struct job g_jobs[kMostJobs];
static long g_jobs_made, g_jobs_taken, g_jobs_total, g_work;
static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_more = PTHREAD_COND_INITIALIZER;

// The next job, or null when all are taken.
static struct job* take_job(void) {
  struct job* job = NULL;
  CHECK_ZERO(pthread_mutex_lock(&g_lock));
  while (g_jobs_taken == g_jobs_made && g_jobs_made < g_jobs_total)
    CHECK_ZERO(pthread_cond_wait(&g_more, &g_lock));
  if (g_jobs_taken < g_jobs_made) job = &g_jobs[g_jobs_taken++];
  CHECK_ZERO(pthread_mutex_unlock(&g_lock));
  return job;
}

static void* run(void* argument) {
  long* done = argument;
  for (struct job* job; (job = take_job()); ++*done) {
    uint64_t value = compute((uint64_t)job->number, g_work);
    CHECK((job->text = malloc(80)) != NULL);
    snprintf(job->text, 80, "%ld %016llx %.6f", job->number, (unsigned long long)value,
             (double)(value >> 11) / 9007199254740992.0);
  }
  return NULL;
}

static uint64_t write_and_read_back(void) {
  const char* path = "plain_threads.data";
  FILE* file = fopen(path, "w+");
  CHECK(file);
  for (long j = 0; j < g_jobs_total; j++) CHECK(fprintf(file, "%s\n", g_jobs[j].text) > 0);
  rewind(file);
  char line[128];
  uint64_t hash = 0;
  for (long j = 0; j < g_jobs_total; j++) {
    CHECK(fgets(line, sizeof line, file));
    CHECK(strtol(line, NULL, 10) == j);
    hash = mix64(hash ^ hash_bytes(line, strlen(line)));
  }
  CHECK_ZERO(fclose(file));
  CHECK_ZERO(unlink(path));
  return hash;
}

int main(int argc, char** argv) {
  long threads = number_argument(argc, argv, 1, 4);
  g_jobs_total = number_argument(argc, argv, 2, 300);
  g_work = number_argument(argc, argv, 3, 2400000);
  CHECK(threads >= 1 && threads <= kMostThreads && g_jobs_total <= kMostJobs);
  pthread_t ids[kMostThreads];
  long done[kMostThreads] = {0}, sum = 0;
  for (long t = 0; t < threads; t++) CHECK_ZERO(pthread_create(&ids[t], NULL, run, &done[t]));
  for (long j = 0; j < g_jobs_total; j++) {
    CHECK_ZERO(pthread_mutex_lock(&g_lock));
    g_jobs[g_jobs_made++].number = j;
    CHECK_ZERO(pthread_cond_broadcast(&g_more));
    CHECK_ZERO(pthread_mutex_unlock(&g_lock));
  }
  for (long t = 0; t < threads; t++) {
    CHECK_ZERO(pthread_join(ids[t], NULL));
    sum += done[t];
  }
  CHECK(sum == g_jobs_total);
  printf("first %s\nlast %s\n%ld jobs, text %016llx ok\n", g_jobs[0].text,
         g_jobs[g_jobs_total - 1].text, sum, (unsigned long long)write_and_read_back());
  for (long j = 0; j < g_jobs_total; j++) free(g_jobs[j].text);
  return 0;
}
