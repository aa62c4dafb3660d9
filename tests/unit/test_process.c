/* Process ids: one's own, a dead one's, and those of another pid namespace. */
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "check.h"

static void one_that_has_ended_is_gone(void)
{
    pid_t child = fork(), marked;
    if (child == 0)
        _exit(0);
    marked = (process_id() & ~0x3fffff) | child;
    waitpid(child, NULL, 0);
    CU_ASSERT_TRUE(process_is_gone(child));
    CU_ASSERT_TRUE(process_is_gone(marked));
    CU_ASSERT_FALSE(process_is_gone(getpid()));
    CU_ASSERT_FALSE(process_is_gone(process_id()));
}

static void a_child_is_another(void)
{
    pid_t parent = process_id(), child = fork();
    int status = -1;
    if (child == 0) {
        bool before = process_id() != parent; /* nobody has told it yet */
        process_init();
        _exit(before && process_id() != parent && !process_is_gone(parent) ? 0 : 1);
    }
    waitpid(child, &status, 0);
    CU_ASSERT_EQUAL(status, 0);
}

struct seen {
    pid_t outer, outer_number, inner, inner_number;
    bool outer_gone, nobody_gone;
};

/* The first of its namespace. */
static void inner(struct seen *seen)
{
    process_init();
    seen->inner = process_id();
    seen->inner_number = getpid();
    seen->outer_gone = process_is_gone(seen->outer);
    seen->nobody_gone = process_is_gone(4711) && process_is_gone((seen->inner & ~0x3fffff) | 4711);
    _exit(0);
}

static void outer(struct seen *seen)
{
    process_init();
    seen->outer = process_id();
    seen->outer_number = getpid();
    if (unshare(CLONE_NEWPID) != 0)
        _exit(1);
    if (fork() == 0)
        inner(seen);
    wait(NULL);
    _exit(0);
}

static void nest(struct seen *seen)
{
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWPID) != 0)
            _exit(1);
        if (fork() == 0)
            outer(seen);
        wait(NULL);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

/* Each is number 1. One time in five hundred two namespaces have one mark. */
static void the_same_number_in_another_namespace_is_another(void)
{
    struct seen *seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 3 && geteuid() == 0 && seen->outer == seen->inner; i++)
        nest(seen);
    if (!seen->inner) /* not allowed here */
        return;
    CU_ASSERT_EQUAL(seen->outer_number, 1);
    CU_ASSERT_EQUAL(seen->inner_number, 1);
    CU_ASSERT_NOT_EQUAL(seen->outer, seen->inner);
    CU_ASSERT_TRUE(seen->outer_gone); /* as far as can be seen, and although there is a number 1 */
    CU_ASSERT_TRUE(seen->nobody_gone);
    munmap(seen, sizeof *seen);
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "one that has ended is gone", one_that_has_ended_is_gone },
        { "a child is another", a_child_is_another },
        { "the same number in another namespace is another",
          the_same_number_in_another_namespace_is_another },
        CU_TEST_INFO_NULL,
    };
    process_init();
    return check_run("process ids", tests);
}
