// links: cli/elf_look.c cli/json.c
/* An executable's bytes, and a socket's answer: whatever they are, looking at them is safe. */
#include "../../cli/elf_look.h"
#include "../../cli/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    struct elf_facts facts;
    elf_look(data, length, &facts);
    if (memchr(facts.interpreter, '\0', sizeof facts.interpreter) == NULL)
        __builtin_trap();
    if (facts.has_interpreter && !facts.is_elf)
        __builtin_trap();
    json_free(json_parse((const char *)data, length));
    return 0;
}
