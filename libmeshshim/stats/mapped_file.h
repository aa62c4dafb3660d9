/*
 * Files that processes have mapped. Cut one short, and whoever touches what is gone gets SIGBUS: a `>` or `cp` in the wrong directory would
 * end every program of the mesh. So their mode is 0400: nobody writes to one by its name, but for root, and but for us, who give ourselves
 * the right for a moment. To remove or replace one ends nobody.
 */
#ifndef MESHSHIM_MAPPED_FILE_H
#define MESHSHIM_MAPPED_FILE_H

#include <sys/stat.h>

/*
 * Opens one for reading and writing; `flags` is O_CREAT where it is to be made if it is missing. -1 and errno: EACCES where it is not this
 * user's alone, ELOOP where it is a link.
 */
int mapped_file_open(const char *path, int flags);
/* Once it is known to be ours (`st`): nobody else is to write to it. */
void mapped_file_guard(int fd, const struct stat *st);

#endif
