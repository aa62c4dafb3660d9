/* Everything that is wrong with a configuration, collected and then told in the order of its lines. */
#ifndef MESHSHIM_PROBLEMS_H
#define MESHSHIM_PROBLEMS_H

#include "base/buf.h"

/* Where a value came from: a line of the file, or an environment variable. */
struct origin {
    const char *variable; /* NULL: the file */
    unsigned line;        /* 0: the file as a whole */
};

struct problem {
    unsigned line;
    size_t order;
    char *text;
};

/* Initialise with the file's name, which must outlive it. */
struct problems {
    const char *path;
    struct problem *list;
    size_t count;   /* kept, at most PROBLEMS_MOST */
    size_t dropped; /* beyond that, only counted */
    bool no_memory;
};

#define PROBLEMS_MOST 1000

void problem_add(struct problems *problems, struct origin origin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define problem_at(problems, number, ...) problem_add(problems, (struct origin){ NULL, number }, __VA_ARGS__)

bool problems_any(const struct problems *problems);
/* A line each; frees the list. */
void problems_tell(struct problems *problems, struct buf *out);

/* A value in double quotes as a message shows it: cut where it is long, anything but printable ASCII as \xNN.
 */
struct quoted {
    char text[80];
};
struct quoted quote(const char *value);
#define QUOTE(value) (quote(value).text)

#endif
