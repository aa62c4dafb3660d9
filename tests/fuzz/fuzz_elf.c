// links: cli/json.c cli/needs.c cli/script.c
/* An executable's bytes, a script's first line, and a socket's answer: whatever they are, looking at them is safe. */
#include "../../cli/json.h"
#include "../../cli/needs.h"
#include "../../cli/script.h"

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

static void look_at_script(const uint8_t *data, size_t length)
{
    char line[256];
    struct buf why = BUF_INIT;
    bool by_env;

    if (length >= sizeof line)
        return;
    memcpy(line, data, length);
    line[length] = '\0';
    if (!script_interpreter("script", line, &by_env, &why) != (why.length > 0))
        __builtin_trap();
    buf_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    struct bytes bytes = { data, length };
    struct elf_facts facts;
    struct needs needs;

    elf_look(copy, &bytes, &facts);
    if (memchr(facts.interpreter, '\0', sizeof facts.interpreter) == NULL)
        __builtin_trap();
    if (facts.has_interpreter && !facts.is_elf)
        __builtin_trap();
    needs_parse(data, length, &needs);
    if (!memchr(needs.soname, '\0', sizeof needs.soname) || !memchr(needs.uring, '\0', sizeof needs.uring))
        __builtin_trap();
    look_at_script(data, length);
    json_free(json_parse((const char *)data, length));
    return 0;
}
