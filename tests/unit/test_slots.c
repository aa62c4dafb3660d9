/* Who is of the family, by process id: the living, by number in their own pid namespace; the dead, if they made Unix sockets. */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "check.h"
#include "conn/family/family.h"
#include "conn/family/slots.h"

enum { MARK_SHIFT = 48 };

static pid_t born_and_gone(bool makes_channels)
{
    pid_t child;
    int slot = slots_reserve();
    child = fork();
    if (child == 0) {
        process_init();
        slots_claim(slot);
        if (makes_channels)
            slots_note_channel();
        _exit(0);
    }
    slots_born(slot, child);
    waitpid(child, NULL, 0);
    return child;
}

static void this_process_is_a_member(void)
{
    CU_ASSERT_TRUE(slots_is_member(getpid()));
    CU_ASSERT_FALSE(slots_is_member(getppid()));
}

/* The one that is meant may be a stranger. */
static void a_member_of_that_number_in_another_namespace_is_not_meant(void)
{
    uint64_t own = atomic_load(&family->slot[slots_own()]);
    atomic_store(&family->slot[slots_own()], own ^ (uint64_t)1 << MARK_SHIFT);
    CU_ASSERT_FALSE(slots_is_member(getpid()));
    atomic_store(&family->slot[slots_own()], own);
    CU_ASSERT_TRUE(slots_is_member(getpid()));
}

static void who_is_gone_and_made_channels_was_one(void)
{
    CU_ASSERT_TRUE(slots_is_member(born_and_gone(true)));
    CU_ASSERT_FALSE(slots_is_member(born_and_gone(false)));
}

/* Its number may be a stranger's by now. */
static void who_lives_is_one_only_by_its_slot(void)
{
    pid_t stranger;
    char byte = 'x';
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    stranger = fork();
    if (stranger == 0) {
        process_init();
        slots_claim(-1);
        slots_note_channel();
        close(ends[1]);
        _exit(write(ends[0], &byte, 1) != 1 || read(ends[0], &byte, 1) != 0);
    }
    CU_ASSERT_EQUAL_FATAL(read(ends[1], &byte, 1), 1); /* it has made its mark */
    CU_ASSERT_FALSE(slots_is_member(stranger));
    close(ends[1]);
    waitpid(stranger, NULL, 0);
    close(ends[0]);
}

static CU_TestInfo tests[] = {
    { "this process is a member", this_process_is_a_member },
    { "a member of that number in another namespace is not meant",
      a_member_of_that_number_in_another_namespace_is_not_meant },
    { "who is gone and made channels was one", who_is_gone_and_made_channels_was_one },
    { "who lives is one only by its slot", who_lives_is_one_only_by_its_slot },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    process_init();
    return family_begin() && slots_own() >= 0 ? check_run("slots", tests) : 1;
}
