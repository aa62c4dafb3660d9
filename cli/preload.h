/* What LD_PRELOAD is to say. */
#ifndef MESHCTL_PRELOAD_H
#define MESHCTL_PRELOAD_H

#include "base/buf.h"

/*
 * `library` in front of what `before` (NULL: nothing) holds, for the first library that defines a symbol wins; but behind
 * the run-time libraries of sanitizers, which refuse to run behind anything. `sanitizer`: one that the program needs
 * and nobody has preloaded; "": none.
 */
void preload_write(struct buf *out, const char *library, const char *sanitizer, const char *before);

#endif
