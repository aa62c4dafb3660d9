/* What the hooks ask of the library as a whole; implemented by init.c, which knows every layer. */
#ifndef MESHSHIM_START_H
#define MESHSHIM_START_H

#include <sys/types.h>

/* The first meshed socket of the process: statistics and the admin thread begin. Cheap when they have. */
void start_service(void);
/* In a forked child, however it was made: puts every layer in order. */
void start_after_fork(void);
/* At the end of the process: goodbyes. */
void start_end(void);

#endif
