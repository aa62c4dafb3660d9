/* Which faults there are: every place of the library that calls, as a run of each scene without a fault finds them. */
#include "drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct fault faults[FAULTS_MOST];
size_t fault_count;

void add(const struct fault *fault)
{
    if (fault_count < FAULTS_MOST)
        faults[fault_count++] = *fault;
}

static int by_first(const void *a, const void *b)
{
    const struct fault_site *x = a, *y = b;
    if (x->call != y->call)
        return x->call < y->call ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/*
 * What an earlier scene has reached on this side is walked there. A handshake in another kind of thread has the same thousand places with other
 * callers far above: the innermost ones tell.
 */
static bool is_new(const struct fault_site *site, int scene, int side)
{
    enum { NEAR = 6 };
    static struct near {
        uint32_t side, call, thread, detail, frame[NEAR];
        int scene;
    } known[SCENES * FAULT_SITES];
    static size_t n;
    struct near near = { (uint32_t)side, site->call, site->thread, site->detail, { 0 }, scene };
    for (int i = 0; i < NEAR && i < site->frames; i++)
        near.frame[i] = site->frame[i];
    for (size_t i = 0; i < n && known[i].scene < scene; i++)
        if (memcmp(&known[i], &near, offsetof(struct near, scene)) == 0)
            return false;
    known[n++] = near;
    return true;
}

/* One place: the first call from there with each errno, all of them, which shows who tries for ever, or what is not made good, and the last one. */
static void add_place(const struct fault_site *site, int scene, int side, bool whole)
{
    const int *errors = errors_of(site->call, site->detail);
    struct fault fault = { .scene = scene, .side = side, .call = site->call, .place = site->hash, .nth = 1 };
    for (int e = 0; e < ERRORS && errors[e] && (e == 0 || whole); e++) {
        fault.error = errors[e];
        add(&fault);
    }
    if (site->count == 1)
        return;
    fault.error = errors[0];
    fault.nth = 0;
    if (errors[0] != EINTR)
        add(&fault);
    fault.nth = site->count;
    if (whole)
        add(&fault);
}

/*
 * OpenSSL allocates in thousands of places, all by its one function: of places that share the innermost caller, the first `sample`, and as many evenly spread.
 * Everything where it is 0.
 */
static void choose(const struct fault_site *site, size_t n, int scene, int side, bool whole, size_t sample)
{
    for (size_t i = 0; i < n; i++) {
        size_t alike = 0, before = 0;
        for (size_t j = 0; j < n; j++)
            if (site[j].call == site[i].call && site[j].frame[0] == site[i].frame[0]) {
                alike++;
                before += j < i;
            }
        if (sample && alike > sample && before >= sample &&
            before * sample / alike == (before + 1) * sample / alike)
            continue;
        add_place(&site[i], scene, side, whole);
    }
}

void survey(int scene, int side, bool whole, size_t sample, bool list)
{
    static struct fault_site site[FAULT_SITES];
    struct fault none = { .scene = scene, .side = side };
    struct fault_control *control;
    size_t n = 0, all = 0;
    run(&none, FAULT_COUNT, "count", &reference[scene]);
    if (judge(scene, &reference[scene])) {
        printf("not ok %s:%s: where nothing fails: %s\n", scenes[scene].name, side_names[side],
               judge(scene, &reference[scene]));
        exit(1);
    }
    control = map_control("count", false);
    for (size_t i = 0; i < FAULT_SITES; i++) {
        if (!atomic_load(&control->site[i].hash))
            continue;
        all++;
        if (is_new(&control->site[i], scene, side))
            memcpy((void *)&site[n++], (void *)&control->site[i], sizeof site[0]);
    }
    munmap(control, sizeof *control);
    qsort(site, n, sizeof site[0], by_first);
    for (size_t i = 0; list && i < n; i++) {
        printf("%s:%s:%s:%llx:%u thread %d detail %u ", scenes[scene].name, side_names[side],
               call_names[site[i].call], (unsigned long long)site[i].hash, site[i].count, site[i].thread,
               site[i].detail);
        tell_place(&site[i]);
    }
    choose(site, n, scene, side, whole, sample);
    printf("# %s:%s: %zu places, %zu of them new\n", scenes[scene].name, side_names[side], all, n);
}
