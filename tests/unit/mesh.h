/* Configurations from text, for tests. */
#ifndef MESHSHIM_TEST_MESH_H
#define MESHSHIM_TEST_MESH_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "policy/config.h"

/* What is said of a name that no SPIFFE ID may hold. */
#define SEGMENT                                                                                              \
    ", which holds a character that a SPIFFE ID may not; expected letters, digits, '-', '.' and '_'"

/* A snapshot, or a failed test that says why there is none. */
static inline struct snapshot *mesh_good(const char *text)
{
    struct buf problems = BUF_INIT;
    struct snapshot *snapshot = config_parse("mesh.ini", text, strlen(text), &problems);
    if (!snapshot || problems.length)
        fprintf(stderr, "unexpected problems:\n%s", buf_text(&problems));
    CU_ASSERT_PTR_NOT_NULL_FATAL(snapshot);
    CU_ASSERT_EQUAL(problems.length, 0);
    buf_free(&problems);
    return snapshot;
}

/* The problems, all of them, must be exactly `expected`, lines that end in \n. */
static inline void mesh_bad(const char *text, const char *expected)
{
    struct buf problems = BUF_INIT;
    struct snapshot *snapshot = config_parse("mesh.ini", text, strlen(text), &problems);
    if (strcmp(buf_text(&problems), expected))
        fprintf(stderr, "for\n%s\nexpected\n%sgot\n%s", text, expected, buf_text(&problems));
    CU_ASSERT_PTR_NULL(snapshot);
    CU_ASSERT_STRING_EQUAL(buf_text(&problems), expected);
    snapshot_unref(snapshot);
    buf_free(&problems);
}

#endif
