/* The known name that somebody probably meant. */
#ifndef MESHSHIM_SUGGEST_H
#define MESHSHIM_SUGGEST_H

#include <stddef.h>

/* Nearest first: offer every candidate, then ask for `best`. */
struct suggestion {
    const char *word; /* what was written */
    const char *best; /* NULL: nothing is near enough; borrowed from the candidates */
    size_t distance;  /* of the best one */
};

void suggest_offer(struct suggestion *suggestion, const char *candidate);
/* Insertions, deletions, replacements and swaps of neighbours; case does not count, nor - against _. */
size_t suggest_distance(const char *a, const char *b);

#endif
