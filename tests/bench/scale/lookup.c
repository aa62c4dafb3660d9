/*
 * lookup FILE SERVICES COUNT: what a configuration of services.py costs, by the library's own code.
 *   load MICROSECONDS         processor time to read it, the least of five
 *   memory BYTES              what it keeps
 *   host | name | miss NANOSECONDS      a look-up each: an address that a service claims, a name, an address that nobody does
 */
#include <arpa/inet.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../drive/clock.h"
#include "policy/config.h"

static struct snapshot *load(const char *path)
{
    struct buf problems = BUF_INIT;
    struct snapshot *snapshot = config_load(path, &problems);
    if (snapshot)
        return snapshot;
    fputs(buf_text(&problems), stderr);
    exit(1);
}

static void measure_load(const char *path)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = clock_ns(CLOCK_PROCESS_CPUTIME_ID), took;
        snapshot_unref(load(path));
        took = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
        least = took < least ? took : least;
    }
    printf("load %.0f\n", (double)least / 1000);
}

/* Service i of the generated file claims 10.A.B.1, port 8080, and the name sI.mesh.test. */
static struct sockaddr_in address_of(unsigned first, unsigned i)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(8080) };
    address.sin_addr.s_addr = htonl(first << 24 | (i / 256) << 16 | (i % 256) << 8 | 1);
    return address;
}

static void measure(const char *what, const struct snapshot *snapshot, unsigned first, unsigned services,
                    long count)
{
    uint64_t before;
    long found = 0, expected = first == 10 ? count : 0;
    unsigned at = 0;
    char(*names)[32] = calloc(services, sizeof *names);
    for (unsigned i = 0; names && i < services; i++)
        snprintf(names[i], sizeof names[i], "s%u.mesh.test", i);
    before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; names && i < count; i++) {
        struct sockaddr_in address = address_of(*what == 'n' ? 192 : first, at);
        found += snapshot_match(snapshot, (struct sockaddr *)&address, sizeof address,
                                *what == 'n' ? names[at] : NULL) != NULL;
        at = (at + 7919) % services;
    }
    printf("%s %.1f\n", what, (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before) / (double)count);
    free(names);
    if (found != expected) {
        fprintf(stderr, "lookup: %ld of %ld were found\n", found, expected);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    long count = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    struct snapshot *snapshot;
    size_t before;
    unsigned services;
    if (count <= 0) {
        fputs("usage: lookup FILE SERVICES COUNT\n", stderr);
        return 2;
    }
    measure_load(argv[1]);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    snapshot = load(argv[1]);
    printf("memory %zu\n", mallinfo2().uordblks + mallinfo2().hblkhd - before);
    services = (unsigned)strtoul(argv[2], NULL, 10);
    measure("host", snapshot, 10, services, count);
    measure("name", snapshot, 10, services, count);
    measure("miss", snapshot, 172, services, count);
    snapshot_unref(snapshot);
    return 0;
}
