/* The table of cases. */
#include "bad.h"

#include "bad_cases.h"

const struct bad_case bad_cases[] = {
#define CASE(name, as_client, as_server) { #name, as_client, as_server, case_##name },
#include "bad_cases.def"
#undef CASE
};
const size_t bad_case_count = sizeof bad_cases / sizeof bad_cases[0];
