/* See elf_look.h. Every offset and count comes from the file and is checked against its length. */
#include "elf_look.h"

#include <elf.h>

#include "base/banned.h"

#if defined __x86_64__
#define NATIVE_MACHINE EM_X86_64
#elif defined __aarch64__
#define NATIVE_MACHINE EM_AARCH64
#elif defined __riscv
#define NATIVE_MACHINE EM_RISCV
#elif defined __s390x__
#define NATIVE_MACHINE EM_S390
#elif defined __powerpc64__
#define NATIVE_MACHINE EM_PPC64
#else
#error "add this processor's ELF machine number"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_DATA ELFDATA2LSB
#else
#define NATIVE_DATA ELFDATA2MSB
#endif

enum { TABLE_MOST = 4096, NOTE_GO_BUILD_ID = 4 };

struct image {
    const unsigned char *data;
    size_t length;
};

static bool inside(const struct image *image, uint64_t offset, uint64_t length)
{
    return offset <= image->length && length <= image->length - offset;
}

/* Copied out, because the offset may be misaligned. */
static bool fetch(const struct image *image, uint64_t offset, void *out, size_t length)
{
    if (!inside(image, offset, length))
        return false;
    memcpy(out, image->data + offset, length);
    return true;
}

/* The offset of entry `index` of a table; UINT64_MAX (never inside a file) where that overflows. */
static uint64_t entry(uint64_t table, uint64_t size, unsigned index)
{
    uint64_t offset;
    return __builtin_add_overflow(table, size * index, &offset) ? UINT64_MAX : offset;
}

static void read_interpreter(const struct image *image, const Elf64_Phdr *segment, struct elf_facts *facts)
{
    size_t length = segment->p_filesz < sizeof facts->interpreter - 1 ? (size_t)segment->p_filesz
                                                                      : sizeof facts->interpreter - 1;
    facts->has_interpreter = fetch(image, segment->p_offset, facts->interpreter, length);
    facts->interpreter[facts->has_interpreter ? length : 0] = '\0';
}

/* Go's linker leaves a note of the name "Go" with its build id, also in stripped programs. */
static bool has_go_note(const struct image *image, const Elf64_Phdr *segment)
{
    uint64_t at = segment->p_offset, end;
    Elf64_Nhdr note;
    char name[4];

    if (!inside(image, segment->p_offset, segment->p_filesz))
        return false;
    end = at + segment->p_filesz;
    for (int i = 0; i < TABLE_MOST && at < end && end - at >= sizeof note; i++) {
        if (!fetch(image, at, &note, sizeof note))
            return false;
        if (note.n_type == NOTE_GO_BUILD_ID && note.n_namesz == 4 &&
            fetch(image, at + sizeof note, name, 4) && memcmp(name, "Go\0\0", 4) == 0)
            return true;
        at += sizeof note + (((uint64_t)note.n_namesz + 3) & ~UINT64_C(3)) +
              (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
    }
    return false;
}

static void look_at_segments(const struct image *image, const Elf64_Ehdr *header, struct elf_facts *facts)
{
    Elf64_Phdr segment;
    for (unsigned i = 0; i < header->e_phnum && i < TABLE_MOST; i++) {
        if (!fetch(image, entry(header->e_phoff, header->e_phentsize, i), &segment, sizeof segment))
            return;
        if (segment.p_type == PT_INTERP && !facts->has_interpreter)
            read_interpreter(image, &segment, facts);
        if (segment.p_type == PT_NOTE && has_go_note(image, &segment))
            facts->is_go = true;
    }
}

static bool name_is(const struct image *image, uint64_t offset, const char *name)
{
    size_t length = strlen(name) + 1;
    return inside(image, offset, length) && memcmp(image->data + offset, name, length) == 0;
}

static void look_at_sections(const struct image *image, const Elf64_Ehdr *header, struct elf_facts *facts)
{
    Elf64_Shdr names, section;
    if (!fetch(image, entry(header->e_shoff, header->e_shentsize, header->e_shstrndx), &names, sizeof names))
        return;
    for (unsigned i = 0; i < header->e_shnum && i < TABLE_MOST; i++) {
        uint64_t name;
        if (!fetch(image, entry(header->e_shoff, header->e_shentsize, i), &section, sizeof section))
            return;
        if (__builtin_add_overflow(names.sh_offset, (uint64_t)section.sh_name, &name))
            continue;
        if (name_is(image, name, ".go.buildinfo") || name_is(image, name, ".note.go.buildid"))
            facts->is_go = true;
    }
}

void elf_look(const void *data, size_t length, struct elf_facts *facts)
{
    struct image image = { data, length };
    Elf64_Ehdr header;

    memset(facts, 0, sizeof *facts);
    if (!inside(&image, 0, EI_NIDENT + 4) || memcmp(image.data, ELFMAG, SELFMAG) != 0)
        return;
    facts->is_elf = true;
    facts->is_32bit = image.data[EI_CLASS] == ELFCLASS32;
    if (!fetch(&image, 0, &header, sizeof header))
        return;
    facts->machine = header.e_machine; /* at the same place in both classes */
    facts->is_native = header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == NATIVE_DATA &&
                       header.e_machine == NATIVE_MACHINE;
    if (!facts->is_native)
        return;
    facts->is_program = header.e_type == ET_EXEC || header.e_type == ET_DYN;
    look_at_segments(&image, &header, facts);
    if (header.e_shoff != 0 && header.e_shstrndx != SHN_UNDEF)
        look_at_sections(&image, &header, facts);
}
