/* Which descriptors this process has open, asked of the kernel: what exec and strangers left is in no table of ours. */
#ifndef MESHSHIM_OPENFDS_H
#define MESHSHIM_OPENFDS_H

#include <stdbool.h>

/* Calls `each` for every open descriptor but our own, for some of them twice where /proc gives out in the middle. Allocates nothing: it may be asked between vfork and exec. */
void openfds_each(void (*each)(int fd, void *context), void *context);

enum openfd_kind { OPENFD_OTHER, OPENFD_TCP, OPENFD_LISTENER /* of TCP */, OPENFD_UNIX };
/* What the kernel does not say is taken for TCP: rather refused than left in the clear. */
enum openfd_kind openfd_kind(int fd);
/* One by which connections may come, or go to others: a program that inherits it may need what the family shares. */
static inline bool openfd_is_channel(enum openfd_kind kind)
{
    return kind == OPENFD_UNIX || kind == OPENFD_LISTENER;
}
/* Of TCP: nobody has connected it, or its connection has ended. */
bool openfd_is_unconnected(int fd);
bool openfd_is_inherited(int fd); /* not close-on-exec */

#endif
