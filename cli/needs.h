/* What a dynamic program asks of its loader: libraries and names. Pure but for reading; trusts nothing in the bytes. */
#ifndef MESHCTL_NEEDS_H
#define MESHCTL_NEEDS_H

#include <stdbool.h>
#include <stddef.h>

struct needs {
    char soname[64];    /* of a shared library: "libc.so.6" */
    char sanitizer[64]; /* the run-time library of a sanitizer, "libasan.so.8", or "" */
    char uring[64];     /* what it has of liburing: a library or a function, or "" */
    bool may_sandbox; /* it has what a program needs to put itself under a seccomp filter, and speaks of it */
    unsigned glibc;   /* the highest N of the versions GLIBC_2.N that it asks for, or, in libc itself, has */
};

/* All is empty where the bytes are not those of a dynamic program or library of this machine. */
void needs_parse(const void *data, size_t length, struct needs *needs);
/* The same of a file; false where it cannot be read. */
bool needs_read(const char *path, struct needs *needs);

/* Is this the name, with or without a directory, of a sanitizer's run-time library? */
bool is_sanitizer(const char *name);

#endif
