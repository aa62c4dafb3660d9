/* The PEM files of a workload. The private key lives in pages of its own, kept out of swap and core files,
 * wiped when freed. */
#ifndef MESHSHIM_PEM_H
#define MESHSHIM_PEM_H

#include <stdbool.h>

#include "policy/snapshot.h"

/* Reads pem->path, where there is one, into text and length, or says in error why not. */
void pem_read(struct pem_file *pem, bool secret);
/* Was `last`'s text read under the same name, and may `pem` not be read any more? */
bool pem_is_lost(const struct pem_file *pem, const struct pem_file *last);
/* `last`'s text in place of `pem`'s; false: no memory, and `pem` is as it was. */
bool pem_take_text(struct pem_file *pem, const struct pem_file *last, bool secret);
/* Frees what a file holds, its path too. Any text is wiped. */
void pem_clear(struct pem_file *pem);
/* Reads a regular file of at most `most` bytes; a pipe or a device could block for ever: EINVAL. */
int regular_file_read(const char *path, size_t most, char **data, size_t *length);

#endif
