/*
 * What to do where the program's thread leaves one of our calls without coming back: it is cancelled while it sleeps, or one of its signal
 * handlers leaves by longjmp, as ftp's, telnet's and wget's do. It is the pair that libc's stdio uses for its own locks:
 * pthread_cleanup_push would not see longjmp.
 */
#ifndef MESHSHIM_UNDO_H
#define MESHSHIM_UNDO_H

#include <pthread.h>

void _pthread_cleanup_push(struct _pthread_cleanup_buffer *buffer, void (*routine)(void *), void *argument);
void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute);

struct undo {
    struct _pthread_cleanup_buffer buffer;
};

/* From here to undo_end, in the same frame, which must not be left in between. */
static inline void undo_begin(struct undo *undo, void (*routine)(void *), void *argument)
{
    _pthread_cleanup_push(&undo->buffer, routine, argument);
}

static inline void undo_end(struct undo *undo)
{
    _pthread_cleanup_pop(&undo->buffer, 0);
}

#endif
