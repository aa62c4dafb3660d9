/* See elf.h. Every offset and count comes from the file; what lies outside it cannot be read, and nothing is read without end. */
#include "base/elf.h"

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

/* More than any program that is not made to waste our time: its tables may all point at each other. */
enum { READS_MOST = 20000, NOTE_GO_BUILD_ID = 4 };

struct image {
    elf_reader *reader;
    void *file;
    unsigned reads;
};

static bool fetch(struct image *image, uint64_t offset, void *out, size_t length)
{
    return image->reads++ < READS_MOST && image->reader(image->file, offset, out, length);
}

/* Entry `index` of a table. */
static bool fetch_entry(struct image *image, uint64_t table, uint64_t size, uint32_t index, void *out,
                        size_t length)
{
    uint64_t offset;
    return !__builtin_add_overflow(table, size * index, &offset) && fetch(image, offset, out, length);
}

static void read_interpreter(struct image *image, const Elf64_Phdr *segment, struct elf_facts *facts)
{
    size_t length = segment->p_filesz < sizeof facts->interpreter - 1 ? (size_t)segment->p_filesz
                                                                      : sizeof facts->interpreter - 1;
    facts->has_interpreter = fetch(image, segment->p_offset, facts->interpreter, length);
    facts->interpreter[facts->has_interpreter ? length : 0] = '\0';
}

/* Go's linker leaves a note of the name "Go" with its build id, also in stripped programs. */
static bool has_go_note(struct image *image, const Elf64_Phdr *segment)
{
    uint64_t at = segment->p_offset, end;
    Elf64_Nhdr note;
    char name[4];

    if (__builtin_add_overflow(at, segment->p_filesz, &end))
        return false;
    while (at < end && end - at >= sizeof note + sizeof name && fetch(image, at, &note, sizeof note)) {
        if (note.n_type == NOTE_GO_BUILD_ID && note.n_namesz == sizeof name &&
            fetch(image, at + sizeof note, name, sizeof name) && memcmp(name, "Go\0\0", sizeof name) == 0)
            return true;
        at += sizeof note + (((uint64_t)note.n_namesz + 3) & ~UINT64_C(3)) +
              (((uint64_t)note.n_descsz + 3) & ~UINT64_C(3));
    }
    return false;
}

/* The kernel maps what a program is loaded from; pages beyond the file's end would be SIGBUS. */
static bool is_whole(struct image *image, const Elf64_Phdr *segment)
{
    uint64_t last;
    char byte;
    return segment->p_filesz == 0 ||
           (!__builtin_add_overflow(segment->p_offset, segment->p_filesz - 1, &last) &&
            fetch(image, last, &byte, 1));
}

static void look_at_segments(struct image *image, const Elf64_Ehdr *header, struct elf_facts *facts)
{
    Elf64_Phdr segment;
    bool has_code = false;

    /* As the kernel: entries of another size, or none, are not started. */
    facts->is_damaged = header->e_phentsize != sizeof segment;
    for (unsigned i = 0; i < header->e_phnum && !facts->is_damaged; i++) {
        if (!fetch_entry(image, header->e_phoff, sizeof segment, i, &segment, sizeof segment)) {
            facts->is_damaged = true;
            break;
        }
        if (segment.p_type == PT_INTERP && !facts->has_interpreter)
            read_interpreter(image, &segment, facts);
        if (segment.p_type == PT_INTERP || segment.p_type == PT_LOAD)
            facts->is_damaged = !is_whole(image, &segment);
        if (segment.p_type == PT_NOTE && has_go_note(image, &segment))
            facts->is_go = true;
        has_code |= segment.p_type == PT_LOAD;
    }
    facts->is_damaged |= !has_code;
}

static bool name_is(struct image *image, uint64_t table, uint32_t at, const char *name)
{
    char found[24];
    size_t length = strlen(name) + 1;
    return fetch_entry(image, table, 1, at, found, length) && memcmp(found, name, length) == 0;
}

/* What Go's linker always leaves, and strip does not take. */
static bool is_go_section(struct image *image, uint64_t names, uint32_t at)
{
    return name_is(image, names, at, ".go.buildinfo") || name_is(image, names, at, ".gopclntab") ||
           name_is(image, names, at, ".note.go.buildid");
}

static void look_at_sections(struct image *image, const Elf64_Ehdr *header, struct elf_facts *facts)
{
    Elf64_Shdr names, section;

    if (!fetch_entry(image, header->e_shoff, header->e_shentsize, header->e_shstrndx, &names, sizeof names))
        return;
    for (unsigned i = 0; i < header->e_shnum && !facts->is_go && !facts->is_pascal; i++) {
        if (!fetch_entry(image, header->e_shoff, header->e_shentsize, i, &section, sizeof section))
            return;
        facts->is_go = is_go_section(image, names.sh_offset, section.sh_name);
        facts->is_pascal = name_is(image, names.sh_offset, section.sh_name, ".fpcdata");
    }
}

void elf_look(elf_reader *reader, void *file, struct elf_facts *facts)
{
    struct image image = { reader, file, 0 };
    unsigned char ident[EI_NIDENT + 4];
    Elf64_Ehdr header;

    memset(facts, 0, sizeof *facts);
    if (!fetch(&image, 0, ident, sizeof ident) || memcmp(ident, ELFMAG, SELFMAG) != 0)
        return;
    facts->is_elf = true;
    facts->is_32bit = ident[EI_CLASS] == ELFCLASS32;
    memcpy(&header, ident, sizeof ident);
    facts->machine = header.e_machine; /* at the same place in both classes */
    facts->is_native =
        ident[EI_CLASS] == ELFCLASS64 && ident[EI_DATA] == NATIVE_DATA && header.e_machine == NATIVE_MACHINE;
    if (!facts->is_native)
        return;
    facts->is_damaged = !fetch(&image, 0, &header, sizeof header);
    facts->is_program = header.e_type == ET_EXEC || header.e_type == ET_DYN;
    if (!facts->is_damaged && facts->is_program)
        look_at_segments(&image, &header, facts);
    if (!facts->is_damaged && header.e_shoff != 0 && header.e_shstrndx != SHN_UNDEF)
        look_at_sections(&image, &header, facts);
}

bool elf_loader_is_glibc(const char *interpreter)
{
    const char *slash = strrchr(interpreter, '/'), *name = slash ? slash + 1 : interpreter;
    return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld64.so", 7) == 0 ||
           strncmp(name, "ld.so", 5) == 0;
}
