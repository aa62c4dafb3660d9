/* Any first bytes of a connection: an answer that no later byte takes back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls/clienthello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum hello_kind classify_exactly(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    enum hello_kind kind;

    if (size)
        memcpy(exact, data, size);
    kind = hello_classify(exact, size);
    free(exact);
    return kind;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum hello_kind last = classify_exactly(data, size);

    for (size_t n = 0, step = 1 + size / 200; n < size; n += step) {
        enum hello_kind kind = classify_exactly(data, n);
        if (kind != HELLO_PARTIAL && kind != last)
            __builtin_trap();
    }
    return 0;
}
