/* See thread.h. */
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/banned.h"

enum { STACK = 128 * 1024, LARGE_STACK = 8 * 1024 * 1024 };

int thread_start(void *(*run)(void *))
{
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    int error = pthread_attr_init(&attributes);

    if (error)
        return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_setstacksize(&attributes, STACK);
    error = pthread_create(&thread, &attributes, run, NULL);
    if (error == EINVAL || error == ENOMEM) {
        /* A program's thread-local data is taken from the stack, and may be more than that. */
        pthread_attr_setstacksize(&attributes, LARGE_STACK);
        error = pthread_create(&thread, &attributes, run, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}
