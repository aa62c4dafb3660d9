/*
 * How many connections are open now. Each process has a record of its own in the region, so that those of a
 * process that was killed can be told from those that live.
 */
#ifndef MESHSHIM_ACTIVE_H
#define MESHSHIM_ACTIVE_H

#include <stddef.h>

#include "stats/region.h"

/* One connection more, or less, in series `index`. Where there is no room for it, it is not counted as
 * active. */
void active_add(struct region *region, size_t index);
void active_remove(struct region *region, size_t index);
/* Takes the record now: later it may not be allowed to look for it. */
void active_prepare(struct region *region);
/*
 * The process ends. Its record is given back if nothing is open: whoever comes after in another pid namespace, the next container on one
 * directory, could not tell that it is gone.
 */
void active_end(struct region *region);
/* In a forked child: the record is the parent's. Async-signal-safe. */
void active_after_fork(struct region *region);

#endif
