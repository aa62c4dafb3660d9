/* The memory that sessions are kept in. */
#ifndef MESHSHIM_SESSIONS_FILE_H
#define MESHSHIM_SESSIONS_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * `size` bytes of RUNTIME_DIR/sessions-UID-NUMBER, which is made with mode 0400 (stats/mapped_file.h) where it is missing; NUMBER stands for `owner` and `layout`. NULL
 * where it cannot be had, is not ours alone, or does not lie in memory.
 */
void *sessions_file_map(const char *runtime_dir, const char *owner, unsigned layout, size_t size);
/* Memory for this process and its children; NULL: none. */
void *sessions_private_map(size_t size);
/* Is the byte at `last`, and so all in front of it, still behind the mapping? Whoever cuts the file short takes its end. */
bool sessions_is_there(const void *last);
/* Either of these; NULL is allowed. */
void sessions_unmap(void *memory, size_t size);

#endif
