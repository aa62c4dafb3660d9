/* The file RUNTIME_DIR/stats-UID.shm: made, checked, found. */
#ifndef MESHSHIM_REGION_FILE_H
#define MESHSHIM_REGION_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Opens the file of the effective user for reading and writing, makes it where it is missing and replaces it
 * where it is not of this version. 0, *fd (the caller closes it) and the path, or an errno: EPERM where it is
 * not ours alone to write, ENAMETOOLONG, ENOSPC, EAGAIN where somebody else is making it and does not finish.
 */
int region_file_open(const char *directory, char *path, size_t room, int *fd);
/* Opens somebody's file for reading. -1 where it may not be read, is no such file, or is not its owner's
 * alone. */
int region_file_open_to_read(const char *directory, const char *name);
/* Is it "stats-UID.shm"? */
bool region_file_name(const char *name, uid_t *uid);

#endif
