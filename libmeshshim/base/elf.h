/* What an executable's bytes say about whether a library can be preloaded into it. Pure; trusts nothing in the bytes. */
#ifndef MESHSHIM_ELF_H
#define MESHSHIM_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_facts {
    bool is_elf;
    bool is_native; /* this machine's class, byte order and processor; the rest is known only then */
    bool is_32bit;
    unsigned machine;     /* e_machine */
    bool is_program;      /* executable or position-independent executable; a shared library looks the same */
    bool is_damaged;      /* cut short, or its tables point outside: the kernel would not start it */
    bool has_interpreter; /* false: linked statically */
    char interpreter[256]; /* the dynamic loader: "/lib64/ld-linux-x86-64.so.2" */
    bool is_go;
    bool is_pascal; /* Free Pascal's; like Go's, its run-time system makes raw system calls */
};

/* Copies `length` bytes at `offset` of the file; false where the file does not have them all. */
typedef bool elf_reader(void *file, uint64_t offset, void *out, size_t length);

/* Reads through `reader` alone, a bounded number of times; allocates nothing. */
void elf_look(elf_reader *reader, void *file, struct elf_facts *facts);

/* Is this dynamic loader glibc's? musl has one of its own, and so has every other C library. */
bool elf_loader_is_glibc(const char *interpreter);

#endif
