/* What the files of a pending connection share among themselves: pending.c (the list), steps.c, settle.c, waiting.c. */
#ifndef MESHSHIM_PENDING_PARTS_H
#define MESHSHIM_PENDING_PARTS_H

#include <poll.h>

#include "base/quiet.h"
#include "conn/pending/pending.h"

/* Of a handshake, where one thread makes both ends' steps in turn, and one to see it done. */
enum { FLIGHTS = 4 };

/* pending.c. False: no step is under way, and one that begins now leaves the descriptor alone. */
bool pending_has_steps(const struct conn *conn);
/* pending.c. Out of the list and off the connection, the caller's to discard; the steps lock is held. */
struct pending *pending_detach(struct conn *conn);
/* Nothing comes into the list or leaves it between the two, and what is in it keeps what belongs to it. */
void pending_list_take(struct quiet *quiet);
void pending_list_give(const struct quiet *quiet);
/* Up to `most` pending connections, for a loop that drives them without holding the list. */
int pending_list(struct conn **all, int most);
/* The same for those that are due by `now`; *next is when the next of the others is, 0: none. */
int pending_due(struct conn **due, int most, int64_t now, int64_t *next);

/*
 * The same for those that this process must bring to an end, whatever the program does: see driver.h. Where there are more, the others are next,
 * so that none is left out for ever.
 */
int pending_list_owed(struct conn **all, int most);
bool pending_has_owed(void);
bool pending_has_said(void); /* the same, without those that were closed without a word */
bool pending_is_owed(const struct pending *pending);
/* It is, from here on. False: there is no thread for it. */
bool pending_owe(struct pending *pending);

/*
 * waiting.c. What to poll until the next step; no descriptor where that would end at once and in vain: before a retry, when the kernel calls the
 * socket hung up, and for bytes that another process has to read.
 */
struct pollfd pending_how_to_poll(const struct conn *conn);

/* How often to look whether another process is through with a handshake. */
enum { PENDING_LOOK_MS = 5 };
/* When time next matters to it. */
int64_t pending_next_event(const struct pending *pending);

/*
 * steps.c. The steps lock, quietly: no handler of the program's can come back into a connection whose step is under way. False where this
 * very thread has it.
 */
bool steps_enter(struct conn *conn, struct quiet *quiet);
/* The same, without waiting for another thread. */
bool steps_enter_now(struct conn *conn, struct quiet *quiet);
void steps_leave(struct conn *conn, const struct quiet *quiet);

/* steps.c, with the steps lock held. */
enum pending_result steps_take(struct conn *conn);
/* A failure that another endpoint may not have. */
enum pending_result steps_fail_or_retry(struct conn *conn, const struct handshake_fault *fault);
/* Connect succeeds in the program's eyes; the proof is completed before its first byte. */
void steps_grant_grace(struct conn *conn);

/* settle.c: the series' name, "payments" or "inbound:8080". */
void settle_name(const struct pending *pending, char *name, size_t room);
/* The rest with the steps lock held. The handshake is done: keys, counters, the program's registrations. */
enum pending_result settle_open(struct conn *conn);
/* Not for us after all: the program gets its socket back as it is. */
enum pending_result settle_plain(struct conn *conn, enum stats_passed passed);
/* Another process of the family has finished the handshake: its keys are ours too (true), or its failure. */
bool settle_adopt(struct conn *conn);
/* The connection's counters; `is_own`: this process made the handshake, and counts the connection. */
void settle_count(struct conn *conn, bool is_own);

#endif
