/* Any bytes at the admin socket: no crash, and the same answer however they are cut into pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse_exactly(const uint8_t *data, size_t size, struct request *request)
{
    char *exact = malloc(size ? size : 1);
    const char *why = NULL;
    int status;

    if (size)
        memcpy(exact, data, size);
    status = request_parse(exact, size, request, &why);
    if (status != 0 && status != 200 && !why)
        __builtin_trap();
    if (status == 200 && (request->head > size || request->body > REQUEST_BODY_MOST ||
                          request->path[0] != '/' || !memchr(request->path, '\0', sizeof request->path)))
        __builtin_trap();
    free(exact);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request whole, part;
    int last = parse_exactly(data, size, &whole);

    for (size_t n = 0, step = 1 + size / 100; n < size && size < REQUEST_HEAD_MOST; n += step) {
        int status = parse_exactly(data, n, &part);
        if (status != 0 && (status != last || memcmp(&part, &whole, sizeof part) != 0))
            __builtin_trap();
    }
    return 0;
}
