/* See needs.h. All names stand in one table of strings: symbols, libraries and versions alike. */
#include "needs.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

enum { TABLE_MOST = 4096 };

struct image {
    const char *data;
    size_t length;
    const char *strings; /* the dynamic strings */
    size_t strings_length;
};

/* Copied out, because the offset may be misaligned. */
static bool fetch(const struct image *image, uint64_t offset, void *out, size_t length)
{
    if (offset > image->length || length > image->length - offset)
        return false;
    memcpy(out, image->data + offset, length);
    return true;
}

static bool fetch_segment(const struct image *image, unsigned index, Elf64_Phdr *segment)
{
    Elf64_Ehdr header;
    return fetch(image, 0, &header, sizeof header) && index < header.e_phnum && index < TABLE_MOST &&
           header.e_phoff <= image->length &&
           fetch(image, header.e_phoff + (uint64_t)index * sizeof *segment, segment, sizeof *segment);
}

/* Where in the file the bytes are that will be at this address; UINT64_MAX: nowhere. */
static uint64_t offset_of(const struct image *image, uint64_t address)
{
    Elf64_Phdr segment;
    for (unsigned i = 0; fetch_segment(image, i, &segment); i++)
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
            address - segment.p_vaddr < segment.p_filesz)
            return segment.p_offset + (address - segment.p_vaddr);
    return UINT64_MAX;
}

/* Entry `index` of the dynamic section; false behind its end. */
static bool fetch_dynamic(const struct image *image, const Elf64_Phdr *dynamic, unsigned index,
                          Elf64_Dyn *entry)
{
    uint64_t at = (uint64_t)index * sizeof *entry;
    return index < TABLE_MOST && at < dynamic->p_filesz && dynamic->p_offset <= image->length &&
           fetch(image, dynamic->p_offset + at, entry, sizeof *entry) && entry->d_tag != DT_NULL;
}

static void find_strings(struct image *image, const Elf64_Phdr *dynamic)
{
    uint64_t address = 0, size = 0, offset;
    Elf64_Dyn entry;

    for (unsigned i = 0; fetch_dynamic(image, dynamic, i, &entry); i++) {
        if (entry.d_tag == DT_STRTAB)
            address = entry.d_un.d_ptr;
        else if (entry.d_tag == DT_STRSZ)
            size = entry.d_un.d_val;
    }
    offset = offset_of(image, address);
    if (offset >= image->length)
        return;
    image->strings = image->data + offset;
    image->strings_length = size < image->length - offset ? (size_t)size : image->length - (size_t)offset;
}

/* A string of the table, cut to `room`; "" where it lies outside. */
static void copy_string(const struct image *image, uint64_t at, char *out, size_t room)
{
    size_t most = at < image->strings_length ? image->strings_length - (size_t)at : 0;
    if (most > room - 1)
        most = room - 1;
    if (most)
        memcpy(out, image->strings + at, most);
    out[most] = '\0';
}

static bool has_string(const struct image *image, const char *name)
{
    char framed[64];
    int length = snprintf(framed, sizeof framed, "%c%s", '\0', name);
    return memmem(image->strings, image->strings_length, framed, (size_t)length + 1);
}

bool is_sanitizer(const char *name)
{
    static const char *const beginnings[] = { "libasan.", "libtsan.",   "libubsan.",
                                              "liblsan.", "libhwasan.", "libclang_rt." };
    const char *slash = strrchr(name, '/');
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (strncmp(slash ? slash + 1 : name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static void look_at_libraries(const struct image *image, const Elf64_Phdr *dynamic, struct needs *needs)
{
    char name[sizeof needs->soname];
    Elf64_Dyn entry;

    for (unsigned i = 0; fetch_dynamic(image, dynamic, i, &entry); i++) {
        if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_SONAME)
            continue;
        copy_string(image, entry.d_un.d_val, name, sizeof name);
        if (entry.d_tag == DT_SONAME)
            memcpy(needs->soname, name, sizeof name);
        else if (strncmp(name, "liburing.", 9) == 0)
            memcpy(needs->uring, name, sizeof name);
        else if (strncmp(name, "libseccomp.", 11) == 0)
            needs->may_sandbox = true;
        else if (is_sanitizer(name) && !*needs->sanitizer)
            memcpy(needs->sanitizer, name, sizeof name);
    }
}

/* liburing is small, so some carry it inside; its functions then are the program's own, and often not named at all. */
static void look_at_functions(const struct image *image, struct needs *needs)
{
    static const char *const uring[] = { "io_uring_queue_init", "io_uring_queue_init_params",
                                         "io_uring_setup", "io_uring_enter" };
    for (size_t i = 0; i < sizeof uring / sizeof *uring && !*needs->uring; i++)
        if (has_string(image, uring[i]))
            snprintf(needs->uring, sizeof needs->uring, "%s", uring[i]);
    /* prctl alone is nothing: it names threads, too. Who has a sandbox has messages about it. */
    needs->may_sandbox |= (has_string(image, "prctl") || has_string(image, "syscall")) &&
                          (memmem(image->data, image->length, "seccomp", 7) ||
                           memmem(image->data, image->length, "SECCOMP", 7));
}

static unsigned highest_glibc(const struct image *image)
{
    static const char mark[] = "\0GLIBC_2.";
    const char *at = image->strings, *end = at + image->strings_length;
    unsigned highest = 0;

    while ((at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)) != NULL) {
        unsigned minor = 0;
        at += sizeof mark - 1;
        for (int digits = 0; digits < 4 && at < end && *at >= '0' && *at <= '9'; digits++)
            minor = minor * 10 + (unsigned)(*at++ - '0');
        highest = minor > highest ? minor : highest;
    }
    return highest;
}

void needs_parse(const void *data, size_t length, struct needs *needs)
{
    struct image image = { data, length, NULL, 0 };
    Elf64_Phdr segment;

    memset(needs, 0, sizeof *needs);
    if (length < EI_NIDENT || memcmp(data, ELFMAG, SELFMAG) != 0 || image.data[EI_CLASS] != ELFCLASS64)
        return;
    for (unsigned i = 0; fetch_segment(&image, i, &segment); i++) {
        if (segment.p_type != PT_DYNAMIC)
            continue;
        find_strings(&image, &segment);
        if (!image.strings)
            return;
        look_at_libraries(&image, &segment, needs);
        look_at_functions(&image, needs);
        needs->glibc = highest_glibc(&image);
        return;
    }
}

bool needs_read(const char *path, struct needs *needs)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    void *map = MAP_FAILED;

    memset(needs, 0, sizeof *needs);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (map == MAP_FAILED)
        return false;
    needs_parse(map, (size_t)st.st_size, needs);
    munmap(map, (size_t)st.st_size);
    return true;
}
