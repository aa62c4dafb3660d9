// links: cli/json.c
/* An executable's bytes, and a socket's answer: whatever they are, looking at them is safe. */
#include "../../cli/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

struct bytes {
    const uint8_t *data;
    size_t length;
};

static bool copy(void *file, uint64_t offset, void *out, size_t length)
{
    const struct bytes *bytes = file;
    if (offset > bytes->length || bytes->length - offset < length)
        return false;
    memcpy(out, bytes->data + offset, length);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    struct bytes bytes = { data, length };
    struct elf_facts facts;

    elf_look(copy, &bytes, &facts);
    if (memchr(facts.interpreter, '\0', sizeof facts.interpreter) == NULL)
        __builtin_trap();
    if (facts.has_interpreter && !facts.is_elf)
        __builtin_trap();
    json_free(json_parse((const char *)data, length));
    return 0;
}
