/* Whole files into memory, through the real libc calls. */
#ifndef MESHSHIM_FILE_H
#define MESHSHIM_FILE_H

#include <stddef.h>

/*
 * Reads all of `path`. Returns 0 and a malloc'ed, NUL-terminated copy that the caller frees, or an
 * errno: EFBIG where it is longer than `most` bytes, EISDIR, ENOENT, EACCES, …
 */
int file_read(const char *path, size_t most, char **data, size_t *length);

#endif
