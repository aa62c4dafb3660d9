/*
 * The admin thread: one a process, started when first needed. It serves RUNTIME_DIR/PID.sock (HTTP/1.1) and
 * calls reload() when a watched file changes. It sleeps until somebody asks, holds no lock, and never touches
 * a live connection.
 */
#ifndef MESHSHIM_ADMIN_H
#define MESHSHIM_ADMIN_H

#include <stdbool.h>
#include <time.h>

#include "base/buf.h"

/* What the layer cannot know by itself. Called by the admin thread alone, one at a time; NULL: that is not
 * offered. */
struct admin_source {
    const char *runtime_dir; /* copied */
    /* Append one JSON value each. */
    void (*config_json)(struct buf *out);
    void (*connections_json)(struct buf *out);
    void (*identity_json)(struct buf *out);
    /* Reads the configuration anew. True and what is in force now, or false and what is wrong; the text is
     * logged and answered. */
    bool (*reload)(struct buf *message);
    /* Calls add() for each file whose change asks for a reload; asked again after each one. */
    void (*watch)(void (*add)(const char *path, void *context), void *context);
    struct timespec loaded; /* when the files were read, by CLOCK_REALTIME; 0: now */
    int watch_after_ms;     /* how old the process must be before its files are watched */
    /* Moves a descriptor out of the program's way and shields it; returns its new number, or the old one
     * where that fails. NULL: stays. */
    int (*keep_fd)(int fd);
    /* Closes such a descriptor. NULL: the real close. */
    void (*drop_fd)(int fd);
};

/*
 * Starts the thread unless this process has it. Returns 0 or the errno of what failed; what could be
 * started runs (without a socket, files are watched still), and problems are logged once.
 */
int admin_start(const struct admin_source *source);
/* In a forked child, which has no thread: closes what it inherited. The next admin_start begins anew.
 * Async-signal-safe. */
void admin_after_fork(void);
/* When the process ends: removes the socket, lets a call in progress finish for at most a fifth of a second.
 */
void admin_stop(void);

#endif
