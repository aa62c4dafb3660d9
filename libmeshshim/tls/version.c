/*
 * What this library is, as a string in its file: meshctl reads it without loading the library. OpenSSL's own
 * version string is in a member of its archive that nothing calls, so the linker leaves it out.
 */
#include <openssl/opensslv.h>

#include "base/banned.h"

__attribute__((used, retain)) static const char library_version[] =
    "libmeshshim " MESHSHIM_VERSION ", built with " OPENSSL_VERSION_TEXT;
