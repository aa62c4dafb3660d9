/*
 * One call after the other fails in the same process, each in some rounds: what is held afterwards is held for good. What a single failure loses
 * is lost in every round.
 */
#include "subject.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control.h"

enum { KINDS = 2 + WIDE_JOBS, PARTS = 8 /* sessions and tickets are kept, up to so many */ };

static const struct sockaddr_in *to;
static bool there;

static void round_of(int kind)
{
    alarm(PATIENCE);
    if (kind == 0)
        event_round(to);
    else if (kind == 1)
        waiting_round(to);
    else
        wide_job(to, kind - 2);
}

static void fail_once(struct fault_control *control, const struct fault_trial *trial)
{
    control->call = trial->call;
    control->error = trial->error;
    control->place = trial->place;
    control->nth = 1;
    atomic_store(&control->reached, 0);
    faults(FAULT_ONE);
    round_of(trial->kind);
    faults(FAULT_NONE);
}

/* As little as is used, whatever was kept for the next time. */
static bool settle(void)
{
    for (int i = 0; i < 20; i++) {
        alarm(PATIENCE);
        if (event_round(to) && event_round(to)) {
            wait_for_ends();
            return true;
        }
        poll(NULL, 0, 100);
    }
    return false;
}

static int64_t less(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool try(struct fault_control *control, struct fault_trial *trial)
{
    struct measure before, after;
    trial->heap = trial->arena = trial->descriptors = 1 << 30;
    trial->hits = 0;
    for (int part = 0; part < PARTS && (trial->heap > 0 || trial->arena > 0 || trial->descriptors > 0);
         part++) {
        if (!settle() || !look(to, there, &before))
            return false;
        atomic_store(&control->hits, 0);
        for (int i = 0; i < FAULT_TRIES; i++)
            fail_once(control, trial);
        trial->hits += atomic_load(&control->hits);
        if (!settle() || !look(to, there, &after))
            return false;
        trial->heap = less(trial->heap, (int64_t)(after.heap - before.heap));
        trial->arena = less(trial->arena, (int64_t)(after.arena - before.arena));
        trial->descriptors = less(trial->descriptors, (int64_t)(after.descriptors - before.descriptors));
    }
    return true;
}

/* What is called in each kind of round, once all that is made once is made. */
static int look_for_places(struct fault_control *control)
{
    for (int i = 0; i < KINDS; i++) {
        control->kind = i;
        faults(FAULT_COUNT);
        round_of(i);
        faults(FAULT_NONE);
    }
    tell_descriptors();
    return 0;
}

int trials(const char *port, bool at_server)
{
    static struct sockaddr_in address = { .sin_family = AF_INET };
    struct fault_control *control = fault_control();
    uint32_t i;
    address.sin_port = htons((uint16_t)atoi(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to = &address;
    there = at_server;
    if (!control || !calm(to) || !wide_round(to) || !calm(to))
        return 4;
    if (control->trials == 0)
        return look_for_places(control);
    for (i = atomic_load(&control->trial_next); i < control->trials; i++) {
        atomic_store(&control->trial_next, i);
        if (!try(control, &control->trial[i]))
            return 4;
    }
    atomic_store(&control->trial_next, i);
    tell_descriptors();
    return 0;
}
