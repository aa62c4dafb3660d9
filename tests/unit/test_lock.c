/* Locks in memory that processes share: whose owner is gone, and who cannot tell. */
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
#include "check.h"

enum { ID = 0x3fffff };

/* Of a process that has ended, and been waited for. */
static uint32_t dead_owner(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    return (lock_self() & ~(uint32_t)ID) | (uint32_t)child;
}

static void what_a_dead_owner_has_is_taken_over(void)
{
    struct lock lock = { dead_owner() };
    CU_ASSERT_TRUE(lock_is_orphan(&lock));
    CU_ASSERT_EQUAL(lock_take(&lock), LOCK_ORPHAN);
    CU_ASSERT_TRUE(lock_is_mine(&lock));
    lock_release(&lock);
    CU_ASSERT_EQUAL(lock_take(&lock), LOCK_TAKEN);
    CU_ASSERT_EQUAL(lock_take(&lock), LOCK_MINE);
    lock_release(&lock);
}

/* The same number there may be somebody who is about to send. */
static void an_owner_in_another_namespace_is_not_taken_for_dead(void)
{
    struct lock lock = { dead_owner() ^ (uint32_t)(ID + 1) };
    CU_ASSERT_FALSE(lock_is_orphan(&lock));
    CU_ASSERT_EQUAL(lock_try(&lock), LOCK_BUSY);
    lock.word = lock_self() ^ (uint32_t)(ID + 1);
    CU_ASSERT_FALSE(lock_is_mine(&lock));
    CU_ASSERT_EQUAL(lock_try(&lock), LOCK_BUSY);
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "what a dead owner has is taken over", what_a_dead_owner_has_is_taken_over },
        { "an owner in another namespace is not taken for dead",
          an_owner_in_another_namespace_is_not_taken_for_dead },
        CU_TEST_INFO_NULL,
    };
    return check_run("lock", tests);
}
