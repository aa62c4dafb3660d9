/*
 * Runs tests/faults/subject as client and server, with a relay between them that looks at every byte, and makes one call of the library
 * fail in each run.
 *
 *   drive DIRECTORY SUBJECT PRELOADS INJECTOR [--side SIDE] [--whole] [--jobs N] [--only SIDE:CALL:THREAD:NTH:ERRNO]
 *         [--storm ROUNDS --rate N]
 *
 * DIRECTORY holds ini/client.ini and ini/server.ini, apart from what is written here: its changes are looked for. Lines `not ok …` say which call and how its host fared; `#` lines count.
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

static const char *const call_names[] = {
#define SYM(ret, name, params, args, number) #name,
#include "base/symbols.def"
#undef SYM
#define CALL(ret, name, params, args, failure) #name,
#define SAFE(name)
#include "calls.def"
#undef CALL
#undef SAFE
};

const char *directory, *subject, *preloads, *injector, *storm;

struct progress {
    _Atomic size_t next, bad, hit, missed;
};

static void tell(const struct fault *fault, const struct outcome *outcome, const char *what)
{
    printf("not ok %s:%s:%d:%u:%d %s: %s: %s [", side_names[fault->side], call_names[fault->call],
           fault->thread, fault->nth, fault->error, strerrorname_np(fault->error), call_names[fault->call],
           what);
    for (int i = 0; i < outcome->hit.frames; i++)
        printf("%s0x%x", i ? " " : "", outcome->hit.frame[i]);
    printf("]\n");
}

static void work(struct progress *progress, int number)
{
    char slot[16];
    size_t i;
    snprintf(slot, sizeof slot, "job%d", number);
    while ((i = atomic_fetch_add(&progress->next, 1)) < fault_count) {
        struct outcome outcome;
        const char *found;
        run(&faults[i], FAULT_ONE, slot, &outcome);
        atomic_fetch_add(outcome.hits ? &progress->hit : &progress->missed, 1);
        found = judge(&outcome);
        if (found) {
            atomic_fetch_add(&progress->bad, 1);
            tell(&faults[i], &outcome, found);
            fflush(stdout);
        }
    }
}

static bool parse(const char *text, struct fault *fault)
{
    char side[16], call[64];
    if (sscanf(text, "%15[^:]:%63[^:]:%d:%u:%d", side, call, &fault->thread, &fault->nth, &fault->error) != 5)
        return false;
    fault->side = strcmp(side, side_names[SERVER]) == 0;
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
    reference = outcome;
    found = judge(&outcome);
    printf("# %u calls failed\n", outcome.hits);
    if (found)
        printf("not ok %s\n", found);
    return found || outcome.hits == 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct fault only;
    bool whole = false, one = false;
    size_t sample = 5;
    uint32_t rate = 1000;
    int jobs = 4, chosen = -1;
    if (argc < 5)
        return 2;
    directory = argv[1];
    subject = argv[2];
    preloads = argv[3];
    injector = argv[4];
    for (int i = 5; i < argc; i++) {
        if (strcmp(argv[i], "--whole") == 0)
            whole = true, sample = 0;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            jobs = atoi(argv[++i]);
        else if (strcmp(argv[i], "--side") == 0 && i + 1 < argc)
            chosen = strcmp(argv[++i], side_names[SERVER]) == 0;
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
    for (int side = CLIENT; side <= SERVER; side++)
        if (chosen < 0 || chosen == side)
            survey(side, whole, sample);
    if (one) {
        fault_count = 0;
        add(&only);
    }
    fflush(stdout);
    for (int i = 0; i < jobs; i++)
        if (fork() == 0) {
            work(progress, i);
            fflush(stdout);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("# %zu faults, %zu of them reached, %zu missed: %zu bad\n", fault_count, (size_t)progress->hit,
           (size_t)progress->missed, (size_t)progress->bad);
    return progress->bad ? 1 : 0;
}
