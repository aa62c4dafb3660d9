/* The table of cases. */
#include "bad.h"

#include "bad_cases.h"

const struct bad_case bad_cases[] = {
#define CASE(name, as_client, as_server)    { #name, as_client, as_server, false, case_##name },
#define OF_MANY(name, as_client, as_server) { #name, as_client, as_server, true, case_##name },
#define IDENTITY                            OF_MANY
#define HELLO                               OF_MANY
#define ALTERED                             OF_MANY
#include "bad_cases.def"

};
const size_t bad_case_count = sizeof bad_cases / sizeof bad_cases[0];
