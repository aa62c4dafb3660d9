/*
 * Exec keeps the preload: a program that builds an environment of its own for what it starts (nginx's binary upgrade, sshd, dovecot) would
 * lose LD_PRELOAD, and with it the protection of what the new image inherits.
 */
#ifndef MESHSHIM_PRELOAD_H
#define MESHSHIM_PRELOAD_H

#include <stdbool.h>

/* Once, at start-up: remembers what this process was started with. */
void preload_remember(void);

enum { PRELOAD_ROOM = 256 };

/* An environment for exec. `own` is in the caller's frame, because a vfork child must not allocate in its parent's memory. */
struct preload {
    char *own[PRELOAD_ROOM];
    char **list, *text; /* of malloc, where there is more than that */
    char joined[512];
};

/*
 * `envp` itself where nothing is missing, or where the configuration says `keep_preload = no`, or MESHSHIM_DISABLE is set in it;
 * else a copy with what is missing. preload_free after an exec that has failed, and after a spawn.
 */
char **preload_environment(struct preload *preload, char *const envp[]);
void preload_free(struct preload *preload);
/* Will a program that is started with this environment load this library, and let it work? */
bool preload_reaches(char *const envp[]);

#endif
