/* The memory that sessions are kept in. */
#ifndef MESHSHIM_SESSIONS_FILE_H
#define MESHSHIM_SESSIONS_FILE_H

#include <stddef.h>

/*
 * `size` bytes of RUNTIME_DIR/sessions-UID-NUMBER, which is made with mode 0600 where it is missing; NUMBER stands for `owner` and `layout`. NULL
 * where it cannot be had, is not ours alone, or does not lie in memory.
 */
void *sessions_file_map(const char *runtime_dir, const char *owner, unsigned layout, size_t size);
/* Memory for this process and its children; NULL: none. */
void *sessions_private_map(size_t size);
/* Either of these; NULL is allowed. */
void sessions_unmap(void *memory, size_t size);

#endif
