/*
 * Runs tests/faults/subject as client and server, with a relay between them that looks at every byte, and makes one call of the library
 * fail in each run.
 *
 *   drive DIRECTORY MEMORY SUBJECT PRELOADS INJECTOR [--side SIDE] [--whole] [--jobs N] [--list] [--scene NAME]
 *         [--only SCENE:SIDE:CALL:PLACE:NTH:ERRNO]
 *         [--trials] [--storm ROUNDS --rate N]
 *
 * DIRECTORY holds ini/client.ini and ini/server.ini, apart from what is written here: its changes are looked for. MEMORY is an empty directory, in
 * memory, for those that need one of their own. Lines `not ok …` say which call and how its host fared; `#` lines count.
 */
#include "drive.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const call_names[] = {
#define SYM(ret, name, params, args, number) #name,
#include "base/symbols.def"
#undef SYM
#define CALL(ret, name, params, args, failure) #name,
#define SAFE(name)
#include "calls.def"
#undef CALL
#undef SAFE
};

const char *directory, *memory, *subject, *preloads, *injector, *storm;

bool trials;

void tell_place(const struct fault_site *site)
{
    printf("[");
    for (int i = 0; i < site->frames; i++)
        printf("%s0x%x", i ? " " : "", site->frame[i]);
    printf("]\n");
}

static const char *error_name(int error)
{
    return error == FAULT_SHORT ? "SHORT" : error == FAULT_END ? "END" : strerrorname_np(error);
}

void tell(const struct fault *fault, const struct outcome *outcome, const char *what)
{
    printf("not ok %s:%s:%s:%llx:%u:%d %s: %s: %s ", scenes[fault->scene].name, side_names[fault->side],
           call_names[fault->call], (unsigned long long)fault->place, fault->nth, fault->error,
           error_name(fault->error), call_names[fault->call], what);
    tell_place(&outcome->hit);
}

/* A process does not come by the same places each time: it waits for another. */
enum { TRIES = 3 };

static void work(struct tally *tally, int number)
{
    char slot[16];
    size_t i;
    snprintf(slot, sizeof slot, "job%d", number);
    while ((i = atomic_fetch_add(&tally->next, 1)) < fault_count) {
        struct outcome outcome;
        const char *found;
        for (int again = 0; again < TRIES && (again == 0 || outcome.hits == 0); again++)
            run(&faults[i], FAULT_ONE, slot, &outcome);
        atomic_fetch_add(outcome.hits ? &tally->hit : &tally->missed, 1);
        found = judge(faults[i].scene, &outcome);
        if (found) {
            atomic_fetch_add(&tally->bad, 1);
            tell(&faults[i], &outcome, found);
            fflush(stdout);
        }
    }
}

int scene_of(const char *name)
{
    for (int i = 0; i < SCENES; i++)
        if (strcmp(name, scenes[i].name) == 0)
            return i;
    return -1;
}

static bool parse(const char *text, struct fault *fault)
{
    char scene[16], side[16], call[64];
    unsigned long long place;
    if (sscanf(text, "%15[^:]:%15[^:]:%63[^:]:%llx:%u:%d", scene, side, call, &place, &fault->nth,
               &fault->error) != 6)
        return false;
    fault->scene = scene_of(scene);
    fault->side = strcmp(side, side_names[SERVER]) == 0;
    fault->place = place;
    for (int i = 0; i < CALLS; i++)
        if (strcmp(call, call_names[i]) == 0)
            fault->call = i;
    return true;
}

static int storm_once(int side, uint32_t rate)
{
    const struct fault fault = { .side = side, .nth = rate };
    struct outcome outcome;
    const char *found;
    run(&fault, FAULT_NONE, "storm", &outcome);
    reference[0] = outcome;
    found = judge(0, &outcome);
    printf("# %u calls failed\n", outcome.hits);
    if (found)
        printf("not ok %s\n", found);
    return found || outcome.hits == 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct fault only;
    bool whole = false, one = false, list = false;
    size_t sample = 3;
    uint32_t rate = 1000;
    int jobs = 4, chosen = -1, scene = -1;
    if (argc < 6)
        return 2;
    directory = argv[1];
    memory = argv[2];
    subject = argv[3];
    preloads = argv[4];
    injector = argv[5];
    for (int i = 6; i < argc; i++) {
        if (strcmp(argv[i], "--whole") == 0)
            whole = true, sample = 0;
        else if (strcmp(argv[i], "--trials") == 0)
            trials = true;
        else if (strcmp(argv[i], "--list") == 0)
            list = true;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            jobs = atoi(argv[++i]);
        else if (strcmp(argv[i], "--side") == 0 && i + 1 < argc)
            chosen = strcmp(argv[++i], side_names[SERVER]) == 0;
        else if (strcmp(argv[i], "--scene") == 0 && i + 1 < argc && scene_of(argv[i + 1]) >= 0)
            scene = scene_of(argv[++i]);
        else if (strcmp(argv[i], "--storm") == 0 && i + 1 < argc)
            storm = argv[++i];
        else if (strcmp(argv[i], "--rate") == 0 && i + 1 < argc)
            rate = (uint32_t)atoi(argv[++i]);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc && parse(argv[++i], &only))
            one = true;
        else
            return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (storm)
        return storm_once(chosen == SERVER ? SERVER : CLIENT, rate);
    for (int i = 0; i < SCENES * 2; i++) {
        size_t before = fault_count;
        if (chosen >= 0 && chosen != i % 2)
            continue;
        if (trials && i < 2)
            trials_survey(i, whole);
        if (trials)
            continue;
        survey(i / 2, i % 2, whole, sample, list);
        if (scene >= 0 && scene != i / 2) /* for what is new */
            fault_count = before;
    }
    if (one) {
        fault_count = 0;
        add(&only);
    }
    fflush(stdout);
    for (int i = 0; i < jobs; i++)
        if (fork() == 0) {
            if (trials)
                trials_work(i, jobs, tally);
            else
                work(tally, i);
            fflush(stdout);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("# %zu faults, %zu of them reached, %zu missed: %zu bad\n", fault_count, (size_t)tally->hit,
           (size_t)tally->missed, (size_t)tally->bad);
    return tally->bad ? 1 : 0;
}
