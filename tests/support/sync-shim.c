/*
 * Preloaded into a server under test: sees every sync of a file named data.mdb, notes it in SHIM_TRACE, and does what the
 * file SHIM_MODE says: "ok"; "hold" waits until it says something else; "sync <errno>" fails fdatasync; "grow <errno>"
 * fails writes past the end of the file, as a full disk does; "meta <errno>" fails the write of the meta page, which
 * LMDB makes to a descriptor of O_DSYNC.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int is_log(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 9) return 0;
  path[n] = 0;
  return strcmp(path + n - 9, "/data.mdb") == 0;
}

static void note(const char *what, long long from, long long to) {
  const char *path = getenv("SHIM_TRACE");
  if (!path) return;
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  char line[128];
  int n = snprintf(line, sizeof line, "%s %lld %lld\n", what, from, to);
  if (write(fd, line, n) < 0) abort();
  close(fd);
}

static void mode(char *into, size_t size) {
  const char *path = getenv("SHIM_MODE");
  into[0] = 0;
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  ssize_t n = read(fd, into, size - 1);
  into[n < 0 ? 0 : n] = 0;
  close(fd);
}

/* The errno that the mode asks for where it begins with `word`, else 0. */
static int wanted(const char *word) {
  char text[64];
  mode(text, sizeof text);
  size_t n = strlen(word);
  return strncmp(text, word, n) == 0 ? atoi(text + n) : 0;
}

static int synced(int fd, const char *name) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  if (!is_log(fd)) return real(fd);
  long long from = now();
  char text[64];
  for (mode(text, sizeof text); strncmp(text, "hold", 4) == 0; mode(text, sizeof text)) {
    note("held", from, from);
    usleep(5000);
  }
  int error = wanted("sync ");
  if (error) {
    note("failed", from, now());
    errno = error;
    return -1;
  }
  int result = real(fd);
  note("data", from, now());
  return result;
}

int fdatasync(int fd) { return synced(fd, "fdatasync"); }
int fsync(int fd) { return synced(fd, "fsync"); }

/* 1 where a write that ends at byte `end` must fail. */
static int refused(int fd, off64_t end, int *is_meta) {
  *is_meta = 0;
  struct stat64 file;
  if (!is_log(fd) || fstat64(fd, &file) != 0) return 0;
  *is_meta = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
  int error = *is_meta ? wanted("meta ") : end > file.st_size ? wanted("grow ") : 0;
  if (!error) return 0;
  note("failed", now(), now());
  errno = error;
  return 1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (!real) real = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  int is_meta;
  if (refused(fd, at + (off64_t)count, &is_meta)) return -1;
  long long from = now();
  ssize_t result = real(fd, bytes, count, at);
  if (is_meta) note("meta", from, now());
  return result;
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  static ssize_t (*real)(int, const struct iovec *, int);
  if (!real) real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
  int is_meta;
  off64_t end = lseek64(fd, 0, SEEK_CUR);
  for (int i = 0; i < count; i++) end += parts[i].iov_len;
  if (refused(fd, end, &is_meta)) return -1;
  return real(fd, parts, count);
}
