/* What is open, by kind, and how much memory is taken: of the heap, and of the family. */
#include "subject.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conn/family/family.h"

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool has_connection(void)
{
    DIR *directory = opendir("/proc/self/fd");
    bool has = false;
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        int domain = 0;
        socklen_t length = sizeof domain;
        has |= getsockopt(atoi(entry->d_name), SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
               domain == AF_INET;
    }
    if (directory)
        closedir(directory);
    return has;
}

/* The program has closed all of its connections; the library ends those whose handshakes were not done. */
void wait_for_ends(void)
{
    for (int i = 0; i < 400 && has_connection(); i++)
        poll(NULL, 0, 10);
}

void tell_descriptors(void)
{
    static char kinds[256][64];
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    size_t n = 0;
    if (!directory)
        wrong("no /proc");
    wait_for_ends();
    while ((entry = readdir(directory)) && n < 256) {
        int fd = atoi(entry->d_name), domain = 0;
        socklen_t length = sizeof domain;
        char path[64], *end;
        ssize_t got;
        if (entry->d_name[0] == '.' || fd == dirfd(directory) || fd <= 2)
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        got = readlink(path, kinds[n], sizeof kinds[n] - 1);
        if (got < 0)
            continue;
        kinds[n][got] = '\0';
        end = strchr(kinds[n], ':');
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0)
            snprintf(kinds[n], sizeof kinds[n], "socket-of-domain-%d", domain);
        else if (end && strncmp(kinds[n], "anon_inode", 10) != 0)
            *end = '\0';
        for (end = kinds[n]; *end; end++)
            if (*end == ' ')
                *end = '_';
        n++;
    }
    closedir(directory);
    qsort(kinds, n, sizeof kinds[0], by_text);
    printf("descriptors:");
    for (size_t i = 0; i < n; i++)
        printf(" %s", kinds[i]);
    printf("\n");
    fflush(stdout);
}

/* Of conn/family/arena.c. */
struct chunk {
    uint32_t lock, index, used, free_list[9];
};

static uint64_t held_in(const uint8_t *base)
{
    const struct chunk *chunk = (const void *)base;
    uint64_t held = chunk->used;
    for (int class = 0; class < 9; class ++)
        for (uint32_t at = chunk->free_list[class]; at; at = *(const uint32_t *)(const void *)(base + at))
            held -= 512u << class;
    return held;
}

static uint64_t held_in_family(int fd)
{
    struct stat st;
    uint64_t held = 0;
    uint8_t *at =
        fstat(fd, &st) == 0 ? mmap(NULL, 16 * FAMILY_CHUNK, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    uint32_t chunks;
    if (at == MAP_FAILED)
        return 0;
    chunks = atomic_load(&((struct family *)(void *)at)->chunks);
    for (uint32_t i = 1; i < chunks && i < 16; i++)
        held += held_in(at + (size_t)i * FAMILY_CHUNK);
    munmap(at, 16 * FAMILY_CHUNK);
    return held;
}

struct measure measure(void)
{
    struct measure now = { .heap = mallinfo2().uordblks };
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        wrong("no /proc");
    for (struct dirent *entry; (entry = readdir(directory));) {
        char target[64] = "";
        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1) <= 0)
            continue;
        now.descriptors++;
        if (strncmp(target, "/memfd:meshshim-family", 22) == 0)
            now.arena = held_in_family(
                atoi(entry->d_name)); /* the library's own: closing another one would end its locks */
    }
    closedir(directory);
    return now;
}
