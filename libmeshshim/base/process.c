/* See process.h. */
#include "base/process.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/banned.h"

static volatile int *marker;
static pid_t self;

void process_init(void)
{
    self = getpid();
    if (!marker) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            return;
        madvise(page, 4096, MADV_WIPEONFORK);
        marker = page;
    }
    *marker = 1;
}

bool process_is_unseen_child(void)
{
    return marker && *marker == 0;
}

pid_t process_id(void)
{
    return process_is_unseen_child() ? getpid() : self;
}

bool process_is_borrowed(void)
{
    return marker && *marker != 0 && getpid() != self;
}
