/* See quiet.h. */
#include "base/quiet.h"

#include <errno.h>
#include <pthread.h>

#include "base/banned.h"

static __thread int depth;

/* All but those that an instruction raises: the kernel ends a process that blocks them. */
static const sigset_t *postponed(sigset_t *set)
{
    static const int at_once[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigfillset(set);
    for (size_t i = 0; i < sizeof at_once / sizeof at_once[0]; i++)
        sigdelset(set, at_once[i]);
    return set;
}

void quiet_begin(struct quiet *quiet)
{
    sigset_t all;
    int saved = errno;
    if (depth++ > 0)
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &quiet->cancel);
    pthread_sigmask(SIG_BLOCK, postponed(&all), &quiet->before);
    errno = saved;
}

void quiet_end(const struct quiet *quiet)
{
    int saved = errno;
    if (--depth > 0)
        return;
    pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
    pthread_setcancelstate(quiet->cancel, NULL);
    errno = saved;
}
