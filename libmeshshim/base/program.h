/*
 * What will the dynamic loader do with LD_PRELOAD when this process executes that file? Nothing is allocated and no lock is
 * taken, so it may be asked between vfork and exec. The caller's descriptors change for a moment: a file is opened.
 */
#ifndef MESHSHIM_PROGRAM_H
#define MESHSHIM_PROGRAM_H

#include <stdbool.h>

#include "base/elf.h"

enum program_kind {
    PROGRAM_UNKNOWN,    /* cannot be read, or is nothing that the kernel would start */
    PROGRAM_DYNAMIC,    /* glibc's loader takes LD_PRELOAD */
    PROGRAM_STATIC,     /* no loader; static-pie too */
    PROGRAM_GO,         /* even where the loader takes LD_PRELOAD, its sockets are raw system calls */
    PROGRAM_PRIVILEGED, /* the loader ignores LD_PRELOAD: it runs with other rights than the user's */
    PROGRAM_FOREIGN,    /* another class, machine or C library */
    PROGRAM_SCRIPT,     /* of program_look_at() alone: its interpreter decides */
};

/* What a file's mode and attributes promise to whoever runs it. */
enum program_gain { GAINS_NOTHING, GAINS_USER, GAINS_GROUP, GAINS_CAPABILITIES };

struct program_file {
    enum program_kind kind;
    enum program_gain gain; /* also where this process would gain nothing by it, as root does */
    int error;              /* PROGRAM_UNKNOWN: why it could not be read; 0: it was */
    struct elf_facts elf;
    char line
        [256]; /* PROGRAM_SCRIPT: what follows "#!"; "/bin/sh" for text without that, which execvp runs so */
};

/* One file, by a descriptor that can be read; its position stays where it is. */
enum program_kind program_look_at(int fd, struct program_file *file);

/* By path, a script's interpreter instead of it. With "#!/usr/bin/env NAME" that is env, which executes NAME in its turn. */
enum program_kind program_look(const char *path);

#endif
