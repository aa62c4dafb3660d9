/* The regions that this process counts in, for its own reader. NULL: not mapped. */
#ifndef MESHSHIM_REGIONS_H
#define MESHSHIM_REGIONS_H

#include "stats/region.h"

struct region *regions_file(void);
struct region *regions_anonymous(void);

#endif
