/* A descriptor table of the thread's own: nothing it opens can be seen, closed or inherited by the program. */
#ifndef MESHSHIM_TABLE_H
#define MESHSHIM_TABLE_H

#include <stdbool.h>

/*
 * Leaves the program's table and holds none of its descriptors from there on: a pipe or a connection ends when the
 * program says so, standard ones too. But where standard error is systemd's journal, that is kept. False where the kernel
 * cannot (before Linux 5.9): the table is the program's still.
 */
bool table_leave(void);
/* Between the two, log lines reach the program's standard error, as far as it can be opened again, or is the journal's. */
void table_borrow_stderr(void);
void table_return_stderr(void);

#endif
