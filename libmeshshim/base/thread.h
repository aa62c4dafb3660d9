/* A thread of our own in the program's process. */
#ifndef MESHSHIM_THREAD_H
#define MESHSHIM_THREAD_H

/* Detached, with a small stack, every signal blocked: the program's signals are the program's. 0 or an errno. */
int thread_start(void *(*run)(void *));

#endif
