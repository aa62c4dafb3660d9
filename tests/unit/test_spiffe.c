/* Which texts are SPIFFE IDs. */
#include "check.h"

#include <string.h>

#include "tls/spiffe.h"

static void spiffe_forms(void)
{
    static const struct {
        const char *id;
        bool good;
    } cases[] = {
        { "spiffe://mesh.local/ns/default/sa/web", true },
        { "spiffe://td/x", true },
        { "spiffe://td/A.b-c_9/..x", true },
        { "spiffe://td", false },
        { "spiffe://td/", false },
        { "spiffe:///x", false },
        { "spiffe://td//x", false },
        { "spiffe://td/x/", false },
        { "spiffe://td/./x", false },
        { "spiffe://td/x/..", false },
        { "spiffe://TD/x", false },
        { "SPIFFE://td/x", false },
        { "spiffe://td:80/x", false },
        { "spiffe://u@td/x", false },
        { "spiffe://td/x?y", false },
        { "spiffe://td/x#y", false },
        { "spiffe://td/%41", false },
        { "https://td/x", false },
        { "spiffe://td/a b", false },
        { "spiffe://td/\xc3\xa4", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(spiffe_well_formed(cases[i].id, strlen(cases[i].id)), cases[i].good);
    CU_ASSERT_FALSE(spiffe_well_formed("spiffe://td/x\0y", 15));
    CU_ASSERT_TRUE(spiffe_in_domain("spiffe://td/x", "td"));
    CU_ASSERT_FALSE(spiffe_in_domain("spiffe://tdx/x", "td"));
    CU_ASSERT_FALSE(spiffe_in_domain("spiffe://t/x", "td"));
}

static CU_TestInfo tests[] = {
    { "forms of SPIFFE IDs", spiffe_forms },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("spiffe", tests);
}
