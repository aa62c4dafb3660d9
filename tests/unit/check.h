/* What every suite ends with. */
#ifndef MESHSHIM_TEST_CHECK_H
#define MESHSHIM_TEST_CHECK_H

#include <CUnit/Basic.h>
#include <unistd.h>

enum { CHECK_SECONDS = 120 };

/* Runs one suite, with a time-out, and returns how much failed. `before` and `after` may be NULL; they return 0 where all is well. */
static inline unsigned check_suite(const char *name, CU_InitializeFunc before, CU_CleanupFunc after,
                                   CU_TestInfo *tests)
{
    CU_SuiteInfo suites[] = { { name, before, after, NULL, NULL, tests }, CU_SUITE_INFO_NULL };
    unsigned failures;

    alarm(CHECK_SECONDS);
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return 1;
    CU_basic_run_tests();
    failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    return failures;
}

/* The same; main's return value. */
static inline int check_run(const char *name, CU_TestInfo *tests)
{
    return check_suite(name, NULL, NULL, tests) ? 1 : 0;
}

#endif
