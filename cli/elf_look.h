/* What an executable's bytes say about whether a library can be preloaded into it. Pure; trusts nothing in the bytes. */
#ifndef MESHCTL_ELF_LOOK_H
#define MESHCTL_ELF_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_facts {
    bool is_elf;
    bool is_native; /* this machine's class, byte order and processor; the rest is known only then */
    bool is_32bit;
    unsigned machine;      /* e_machine */
    bool is_program;       /* executable or position-independent executable */
    bool has_interpreter;  /* false: linked statically */
    char interpreter[256]; /* the dynamic loader: "/lib64/ld-linux-x86-64.so.2" */
    bool is_go;
};

void elf_look(const void *data, size_t length, struct elf_facts *facts);

#endif
