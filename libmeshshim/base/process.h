/*
 * Which process this is. A vfork child shares our memory and must change nothing in it; a child of _Fork or clone has a copy
 * that no fork handler has put in order. A page that the kernel wipes on fork tells the two apart.
 */
#ifndef MESHSHIM_PROCESS_H
#define MESHSHIM_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Once, at start-up, and in every forked child. */
void process_init(void);
/*
 * This process' id below the mark of its pid namespace, so that no process of another one takes it for its own. Without asking the kernel; in a
 * vfork child it is its parent's, whose memory it works in.
 */
pid_t process_id(void);
bool process_is_first_thread(void);
/* A mark of its pid namespace, 9 bits, not 0, asked for at the first call. Where /proc cannot be read it is the parent's, or another one. */
unsigned process_namespace(void);
/* A page's first word: 1, and 0 in a copy of the process that process_init has not seen. NULL: nobody tells. */
extern const volatile int *process_mark;

static inline bool process_is_unseen_child(void)
{
    return process_mark && *process_mark == 0;
}

/* True in a vfork child: hands off. Asks the kernel for the process id. */
bool process_is_borrowed(void);
/*
 * No process or thread of this id runs any more; one that nobody has waited for yet counts as gone, too. With a mark or without; one of another
 * pid namespace cannot be seen, and counts as gone: a deadline holds although it might be at it.
 */
bool process_is_gone(pid_t id);

/*
 * The program has locked itself in (seccomp): files may no longer be opened. Not `provided`: it held no connection, and what its filter allows was
 * thought of for its own calls alone.
 */
void process_lock_in(bool provided);
bool process_is_locked_in(void);
/* Locked in without being provided, the last time or before. */
bool process_is_unprovided(void);

#endif
