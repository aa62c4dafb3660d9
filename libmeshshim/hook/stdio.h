/*
 * Streams of stdio. libc's own read and write inside libc, where nothing sees it, so a stream whose descriptor becomes a connection
 * (dup2 to standard output, or to where a file was) gets a stand-in whose reads and writes are the hooks: calls on the one work on
 * the other.
 */
#ifndef MESHSHIM_STDIO_H
#define MESHSHIM_STDIO_H

#include <stdio.h>

#include "conn/fdtable.h"

FILE *stdio_stand_in(FILE *file);

/* What to work on where the program says `file`. */
static inline FILE *stdio_of(FILE *file)
{
    if (__builtin_expect(!file || !fdtable_get(file->_fileno), 1))
        return file;
    return stdio_stand_in(file);
}

/* A new stream on `fd`, which is the stream's to close; NULL with errno. */
FILE *stdio_open(int fd, const char *mode);

/* `fd` leads to a connection from now on: stdin, stdout or stderr, where it is theirs, are the stand-in itself, for libc uses them too. */
void stdio_follow(int fd);
/* `fd` is about to lead elsewhere: what is buffered goes out, and the program has its own streams back. */
void stdio_leave(int fd);
/* The program closes `file`, after stdio_leave: gives its own stream, and forgets what stood in for it. */
FILE *stdio_forget(FILE *file);
/* Is it one of libc's own, on a descriptor? */
bool stdio_is_file(const FILE *file);
/* Lets freopen turn one of the others into one, which crashes otherwise. It has no room for wide characters. */
void stdio_make_file(FILE *file);
/* The process ends: buffered output goes out before the goodbyes. */
void stdio_flush(void);
/* In a forked child. */
void stdio_after_fork(void);

#endif
