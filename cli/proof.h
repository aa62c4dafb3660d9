/* The files by which a workload proves who it is, judged for a person who is to mend them. */
#ifndef MESHCTL_PROOF_H
#define MESHCTL_PROOF_H

#include "base/buf.h"
#include "policy/snapshot.h"

/* identity_examine(), with what to run next behind the last fault. Returns how many of the lines are faults. */
int proof_examine(const struct workload *workload, struct buf *findings);

#endif
