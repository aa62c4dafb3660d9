/* The standard streams, when their descriptor becomes a protected connection (dup2 to 0, 1 or 2). */
#ifndef MESHSHIM_STDIO_H
#define MESHSHIM_STDIO_H

#include <stdbool.h>
#include <stdio.h>

/* `fd` leads to a protected connection from now on; stdin, stdout or stderr goes through the hooks. */
void stdio_follow(int fd);
/* `fd` is about to lead elsewhere: what is buffered goes out, and the program has its own stream back. */
void stdio_leave(int fd);
/* `file` is what stands in for stdin, stdout or stderr. */
bool stdio_is_ours(const FILE *file);
/* The process ends: buffered output goes out before the goodbyes. */
void stdio_flush(void);

#endif
