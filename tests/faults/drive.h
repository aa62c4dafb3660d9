/*
 * The driver, shared by its files: what fails in a run, and what came of it.
 */
#ifndef FAULTS_DRIVE_H
#define FAULTS_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/libc.h"
#include "control.h"

enum { CLIENT, SERVER };
enum { RELAYED = 8, WAYS = RELAYED * 2 };

/* drive_main.c: the command line. */
extern const char *directory, *memory, *subject, *preloads, *injector;
extern const char *storm; /* rounds; NULL: one fault a run */
extern bool trials;       /* many faults a run */
struct tally {
    _Atomic size_t next, bad, hit, missed, ended;
};
int scene_of(const char *name); /* -1 */

extern const char *const call_names[];
void tell_place(const struct fault_site *site); /* its callers, as `[…]` */

/* drive_scene.c: what the two do, and where. */
struct scene {
    const char *name;
    const char *client; /* what the client is told to do */
    bool
        own; /* a runtime directory of its own, empty, in memory; a configuration that may be changed; a log */
};
enum { SCENES = 5 };
extern const struct scene scenes[SCENES];
void scene_begin(int scene, const char *slot, int port); /* the port that the client is to find */
void scene_enter(int scene, int side, const char *slot); /* in the process: its environment */

/* One run: which call fails, and what came of it. */
struct fault {
    int scene, side, call, error;
    int kind;       /* of a trial's rounds */
    uint32_t nth;   /* of the calls from that place; of FAULT_RATE, one in so many */
    uint64_t place; /* the hash of a site */
};

struct outcome {
    int status[2]; /* as waitpid gives it; -1: it was killed, for there was no end */
    bool seen;     /* the canary, on the wire */
    uint32_t hits;
    struct fault_site hit;
    char descriptors[2][512];
};

void tell(const struct fault *fault, const struct outcome *outcome, const char *what);

/* drive_run.c */
extern const char *const side_names[2];
void run(const struct fault *fault, int mode, const char *slot, struct outcome *outcome);
struct fault_control *map_control(const char *slot, bool fresh);
void die(const char *what) __attribute__((noreturn));

/* drive_relay.c: between the two, looking at every byte. */
int loopback(int port, bool listens); /* a listener, or a connection; -1 */
int port_of(int fd);
void relay_begin(int listener, int port);
int relay_from(int way);  /* what there is to read from; -1: nothing */
bool relay_pass(int way); /* what has come; true: the canary was in it */
void relay_forget(void);  /* all of it: another run begins */

/* drive_trials.c: what there is to try, and a job's share of it */
void trials_survey(int side, bool whole);
void trials_work(int number, int jobs, struct tally *tally);

/* drive_judge.c */
extern struct outcome reference[SCENES];                     /* where nothing fails */
const char *judge(int scene, const struct outcome *outcome); /* NULL, or what is wrong */

/* drive_errors.c: ended by 0; the first is what a quick run tries. `detail` is the site's. */
enum { ERRORS = 8 };
const int *errors_of(int call, uint32_t detail);

/* drive_survey.c: where nothing fails, from where is what called? Each place becomes faults to try. */
enum { FAULTS_MOST = 1 << 16 };
extern struct fault faults[FAULTS_MOST];
extern size_t fault_count;
void add(const struct fault *fault);
void survey(int scene, int side, bool whole, size_t sample, bool list);

#endif
