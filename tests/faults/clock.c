/*
 * A preload behind the library in which CLOCK_REALTIME jumps, and nothing else: by the number of seconds that stands in the file CLOCK_FILE,
 * looked at on each call.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int jumping_clock_gettime(clockid_t clock, struct timespec *now) __asm__("clock_gettime")
    __attribute__((visibility("default")));
time_t jumping_time(time_t *out) __asm__("time") __attribute__((visibility("default")));
int jumping_gettimeofday(struct timeval *now, void *zone) __asm__("gettimeofday")
    __attribute__((visibility("default")));

static const volatile int64_t *offset;

__attribute__((constructor)) static void begin(void)
{
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int (*end)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    const char *path = getenv("CLOCK_FILE");
    int fd = path ? next(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        offset = at;
    if (fd >= 0)
        end(fd);
}

int jumping_clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    int result;
    if (!next)
        next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    result = next(clock, now);
    if (result == 0 && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += (time_t)*offset;
    return result;
}

time_t jumping_time(time_t *out)
{
    struct timespec now;
    jumping_clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int jumping_gettimeofday(struct timeval *now, void *zone)
{
    struct timespec precise;
    (void)zone;
    jumping_clock_gettime(CLOCK_REALTIME, &precise);
    *now = (struct timeval){ precise.tv_sec, precise.tv_nsec / 1000 };
    return 0;
}
