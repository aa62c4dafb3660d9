/* One ELF file: can the library be preloaded into it, and what is doubtful where it can? Said in sentences. */
#ifndef MESHCTL_JUDGE_H
#define MESHCTL_JUDGE_H

#include "base/buf.h"
#include "base/program.h"
#include "needs.h"

/*
 * False, with a sentence in `why`, where it cannot. Else a line in `doubts` for whatever may be in the way. `library` is
 * libmeshshim.so, NULL where it is not known; `needs` is filled in.
 */
bool judge_elf(const char *path, const struct program_file *file, const char *library, struct needs *needs,
               struct buf *why, struct buf *doubts);

#endif
