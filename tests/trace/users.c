/* Another root, another user. */
#include "trace.h"

#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

/* What was needed is loaded by then: the connection goes on, and others can be made. */
void script_chroot_after_first(struct side *s)
{
    char empty[] = "/tmp/meshshim-trace-XXXXXX";
    int fd = connected(s);
    if (geteuid() != 0) {
        say("SKIPPED: only root may change its root");
        return;
    }
    exchange(s, fd);
    if (!mkdtemp(empty) || chdir(empty) || rmdir(empty) || chroot("."))
        fail("chroot");
    if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
        fail("setuid");
    say("nobody in an empty root");
    meet(s);
    exchange(s, fd);
    meet(s);
    close(fd);
    another(s);
    another(s);
}

/* Privilege separation: the child gives up everything, the parent does not. */
void script_setuid_child(struct side *s)
{
    int fd = connected(s);
    if (geteuid() != 0) {
        say("SKIPPED: only root may become somebody else");
        return;
    }
    if (s->client) {
        exchange(s, fd);
        exchange(s, fd);
    } else {
        pid_t child = fork();
        if (child == 0) {
            if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
                fail("setuid");
            exchange(s, fd);
            _exit(0);
        }
        finish(child);
        exchange(s, fd);
    }
    meet(s);
    another(s);
}
