/* The PEM files of a workload. The private key lives in pages of its own, kept out of swap and core files,
 * wiped when freed. */
#ifndef MESHSHIM_PEM_H
#define MESHSHIM_PEM_H

#include <stdbool.h>

#include "policy/snapshot.h"

/* Reads pem->path, where there is one, into text and length, or says in error why not. */
void pem_read(struct pem_file *pem, bool secret);
/* Frees what a file holds, its path too. Any text is wiped. */
void pem_clear(struct pem_file *pem);
/* Reads a regular file of at most `most` bytes; a pipe or a device could block for ever: EINVAL. */
int regular_file_read(const char *path, size_t most, char **data, size_t *length);

#endif
