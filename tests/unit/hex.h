/* Test vectors as they are printed in RFCs. */
#ifndef MESHSHIM_TEST_HEX_H
#define MESHSHIM_TEST_HEX_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Reads hex digits (spaces ignored) into out; returns how many bytes. */
static inline size_t hex_read(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned byte;

    while (*hex) {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        if (sscanf(hex, "%2x", &byte) != 1)
            break;
        out[n++] = (uint8_t)byte;
        hex += 2;
    }
    return n;
}

/* Does `bytes` begin with these? */
static inline bool hex_equal(const char *hex, const uint8_t *bytes)
{
    uint8_t expected[1024];
    size_t n = hex_read(hex, expected);
    return n > 0 && memcmp(bytes, expected, n) == 0;
}

#endif
