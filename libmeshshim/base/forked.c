/* See forked.h. */
#include "base/forked.h"

#include "base/banned.h"
#include "base/scratch.h"

__thread struct forked_state forked_now;

void forked_after_fork(void)
{
    for (const struct forked_call *call = forked_now.call; call; call = call->outer)
        if (call->scratch)
            scratch_close(call->scratch);
}
