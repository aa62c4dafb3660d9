/* Many faults in one process, each in some rounds of it: what is lost for good? See subject_trials.c. */
#include "drive.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { LEAST = FAULT_TRIES * 16 }; /* the smallest block, in each round */

static void tell_lost(const struct fault *fault, const struct fault_trial *trial, struct tally *tally)
{
    char what[200];
    const struct outcome outcome = { 0 };
    if (!trial->hits) {
        tally->missed++;
        return;
    }
    tally->hit++;
    if (trial->heap < LEAST && trial->arena <= 0 && trial->descriptors <= 0)
        return;
    tally->bad++;
    snprintf(what, sizeof what,
             "in %d rounds lost %lld of the heap, %lld of the family's memory, %lld descriptors", FAULT_TRIES,
             (long long)trial->heap, (long long)trial->arena, (long long)trial->descriptors);
    tell(fault, &outcome, what);
}

/* OpenSSL allocates by one function: of the places behind it some, as their hashes fall. */
static bool is_one_too_many(const struct fault_site *site)
{
    enum { SOME = 30, CALLERS = 1024 };
    static struct {
        uint32_t call, caller;
        int count;
    } seen[CALLERS];
    for (size_t i = 0; i < CALLERS; i++) {
        if (seen[i].count && (seen[i].call != site->call || seen[i].caller != site->frame[0]))
            continue;
        seen[i].call = site->call;
        seen[i].caller = site->frame[0];
        return ++seen[i].count > SOME;
    }
    return true;
}

/* Those that a run without faults has come by: none where it did not get so far. */
static size_t add_places(struct fault fault, const struct fault_control *control, bool whole)
{
    size_t places = 0;
    for (size_t i = 0; i < FAULT_SITES; i++) {
        const struct fault_site *site = &control->site[i];
        const int *errors = errors_of(site->call, site->detail);
        if (!atomic_load(&site->hash) || (!whole && is_one_too_many(site)))
            continue;
        places++;
        fault.call = site->call;
        fault.place = site->hash;
        fault.kind = site->kind;
        for (int e = 0; e < ERRORS && errors[e] && (e == 0 || whole); e++) {
            fault.error = errors[e];
            add(&fault);
        }
    }
    return places;
}

void trials_survey(int side, bool whole)
{
    struct fault fault = { .scene = scene_of("wide"), .side = side, .nth = 1 };
    struct outcome *outcome = &reference[fault.scene];
    size_t places = 0;
    for (int tries = 0; tries < 3 && places == 0;
         tries++) { /* a busy machine may not let it be calm in time */
        struct fault_control *control = map_control("count", true);
        run(&fault, FAULT_NONE, "count", outcome);
        places = add_places(fault, control, whole);
        munmap(control, sizeof *control);
    }
    printf("# %s: %zu places of later rounds\n", side_names[side], places);
}

/* All of them, in as many processes as it takes: who has ended in the middle of one goes on behind it. */
static void go_through(const struct fault *list, uint32_t n, int side, const char *slot, struct tally *tally)
{
    struct fault_control *control = map_control(slot, true);
    struct fault none = { .scene = scene_of("wide"), .side = side };
    control->trials = n;
    for (uint32_t i = 0; i < n; i++)
        control->trial[i] = (struct fault_trial){
            .place = list[i].place, .kind = list[i].kind, .call = list[i].call, .error = list[i].error
        };
    while (atomic_load(&control->trial_next) < n) {
        struct outcome outcome;
        uint32_t at;
        const char *found;
        run(&none, FAULT_NONE, slot, &outcome);
        at = atomic_load(&control->trial_next);
        found = judge(none.scene, &outcome);
        if (!found)
            continue;
        if (at < n) {
            tally->ended++;
            tell(&list[at], &outcome, found);
            control->trial[at].hits = 0;
        }
        atomic_store(&control->trial_next, at + 1);
    }
    for (uint32_t i = 0; i < n; i++)
        tell_lost(&list[i], &control->trial[i], tally);
    fflush(stdout);
    munmap(control, sizeof *control);
}

/* One process a side. */
void trials_work(int number, int jobs, struct tally *tally)
{
    static struct fault mine[FAULT_TRIALS];
    char slot[16];
    snprintf(slot, sizeof slot, "job%d", number);
    for (int side = CLIENT; side <= SERVER; side++) {
        uint32_t count = 0;
        for (size_t i = 0; i < fault_count && count < FAULT_TRIALS; i++)
            if (faults[i].side == side && i % (size_t)jobs == (size_t)number)
                mine[count++] = faults[i];
        if (count)
            go_through(mine, count, side, slot, tally);
    }
}
