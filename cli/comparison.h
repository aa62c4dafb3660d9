/* Two series of measurements that were taken in turn, plain and meshed: how they differ, and whether that says anything. Pure. */
#ifndef MESHCTL_COMPARISON_H
#define MESHCTL_COMPARISON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { ROUNDS_LEAST = 3, ROUNDS_MOST = 99 };

struct series {
    double plain[ROUNDS_MOST], meshed[ROUNDS_MOST];
    size_t rounds;
};

struct comparison {
    double plain, meshed; /* medians */
    double change;        /* median over the rounds of meshed / plain, less 1 */
    double noise;         /* what `change` may be wrong by, from how the rounds differ */
};

void comparison_of(const struct series *series, struct comparison *comparison);
/* Is the difference larger than what chance makes? */
bool comparison_tells(const struct comparison *comparison);

/* The words of a verdict: "curl takes", "longer", "shorter", "as long". */
struct claim {
    const char *subject, *more, *less, *same;
};
/* One sentence. `plain` and `meshed` are the medians for people. */
void comparison_write(struct buf *out, const struct comparison *comparison, const struct claim *claim,
                      const char *plain, const char *meshed, size_t rounds);

#endif
