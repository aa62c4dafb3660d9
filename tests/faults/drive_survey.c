/* Which faults there are: every place of the library that calls, as a run without a fault finds them. */
#include "drive.h"

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
 * OpenSSL allocates in thousands of places, all by its one function: of places that share the innermost caller, the first `sample`, and as many evenly spread. Of the others the first call from there and the last.
 * Everything where it is 0.
 */
static void choose(const struct fault_site *site, size_t n, int side, bool whole, size_t sample)
{
    for (size_t i = 0; i < n; i++) {
        size_t alike = 0, before = 0;
        const int *errors = errors_of(site[i].call, site[i].detail);
        for (size_t j = 0; j < n; j++)
            if (site[j].call == site[i].call && site[j].frame[0] == site[i].frame[0]) {
                alike++;
                before += j < i;
            }
        if (sample && alike > sample && before >= sample &&
            before * sample / alike == (before + 1) * sample / alike)
            continue;
        for (int e = 0; e < 5 && errors[e] && (e == 0 || whole); e++)
            add(&(struct fault){ side, site[i].call, site[i].thread, errors[e], site[i].first,
                                 site[i].detail });
        if (site[i].last && (alike <= sample || !sample))
            add(&(struct fault){ side, site[i].call, site[i].thread, errors[0], site[i].last,
                                 site[i].detail });
    }
}

void survey(int side, bool whole, size_t sample)
{
    static struct fault_site site[FAULT_SITES];
    struct fault none = { .side = side };
    struct outcome outcome;
    struct fault_control *control;
    size_t n = 0;
    run(&none, FAULT_COUNT, "count", &outcome);
    reference = outcome;
    if (judge(&outcome)) {
        printf("not ok %s: where nothing fails: %s\n", side_names[side], judge(&outcome));
        exit(1);
    }
    control = map_control("count", false);
    for (size_t i = 0; i < FAULT_SITES; i++)
        if (atomic_load(&control->site[i].hash))
            memcpy((void *)&site[n++], (void *)&control->site[i], sizeof site[0]);
    munmap(control, sizeof *control);
    qsort(site, n, sizeof site[0], by_first);
    choose(site, n, side, whole, sample);
    printf("# %s: %zu places\n", side_names[side], n);
}
