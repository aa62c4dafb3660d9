/* What the dynamic loader will do with LD_PRELOAD, judged from this very program with a few bytes changed. */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "base/file.h"
#include "base/program.h"

static char directory[] = "/tmp/meshshim-program.XXXXXX", path[128], other[128];
static char *own; /* this program's bytes */
static size_t own_length;

static void put(const char *where, const void *data, size_t length, mode_t mode)
{
    int fd;
    unlink(where);
    fd = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(write(fd, data, length), (ssize_t)length);
    CU_ASSERT_EQUAL_FATAL(fchmod(fd, mode), 0);
    close(fd);
}

static enum program_kind kind_of(const void *data, size_t length, mode_t mode)
{
    put(path, data, length, mode);
    return program_look(path);
}

/* This program with `length` bytes at `offset` replaced. */
static enum program_kind kind_with(size_t offset, const void *bytes, size_t length)
{
    char *copy = malloc(own_length);
    enum program_kind kind;
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, own, own_length);
    memcpy(copy + offset, bytes, length);
    kind = kind_of(copy, own_length, 0700);
    free(copy);
    return kind;
}

static size_t segment_of(uint32_t type)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    memcpy(&header, own, sizeof header);
    for (size_t i = 0; i < header.e_phnum; i++) {
        size_t at = header.e_phoff + i * sizeof segment;
        memcpy(&segment, own + at, sizeof segment);
        if (segment.p_type == type)
            return at;
    }
    CU_FAIL_FATAL("this program has no such segment");
    return 0;
}

static void dynamic(void)
{
    CU_ASSERT_EQUAL(kind_of(own, own_length, 0700), PROGRAM_DYNAMIC);
}

/* Without its interpreter a program is a static one, position-independent or not. */
static void static_programs(void)
{
    uint32_t null = PT_NULL;
    CU_ASSERT_EQUAL(kind_with(segment_of(PT_INTERP), &null, sizeof null), PROGRAM_STATIC);
}

static void foreign_programs(void)
{
    Elf64_Phdr segment;
    static const char musl[] = "/lib/ld-musl-x86_64.so.1";
    unsigned char class32 = ELFCLASS32;
    uint16_t machine = EM_VAX;

    memcpy(&segment, own + segment_of(PT_INTERP), sizeof segment);
    CU_ASSERT_EQUAL(kind_with(segment.p_offset, musl, sizeof musl), PROGRAM_FOREIGN);
    CU_ASSERT_EQUAL(kind_with(EI_CLASS, &class32, 1), PROGRAM_FOREIGN);
    CU_ASSERT_EQUAL(kind_with(offsetof(Elf64_Ehdr, e_machine), &machine, sizeof machine), PROGRAM_FOREIGN);
}

static void go_programs(void)
{
    static const struct {
        Elf64_Nhdr note;
        char name[4], id[4];
    } go = { { 4, 4, 4 }, "Go\0", "abc" };
    Elf64_Phdr segment;

    memcpy(&segment, own + segment_of(PT_NOTE), sizeof segment);
    CU_ASSERT_FATAL(segment.p_filesz >= sizeof go);
    CU_ASSERT_EQUAL(kind_with(segment.p_offset, &go, sizeof go), PROGRAM_GO);
}

/* Cut anywhere, it is not what the kernel would start; and no cut is read beyond its end. */
static void cut_short(void)
{
    Elf64_Phdr segment;
    uint64_t far = UINT64_MAX - 8;

    for (size_t length = 0; length < 4096; length += 7)
        CU_ASSERT_EQUAL(kind_of(own, length, 0700), PROGRAM_UNKNOWN);
    memcpy(&segment, own + segment_of(PT_LOAD), sizeof segment);
    CU_ASSERT_EQUAL(kind_of(own, segment.p_offset + segment.p_filesz - 1, 0700), PROGRAM_UNKNOWN);
    CU_ASSERT_EQUAL(kind_with(segment_of(PT_INTERP) + offsetof(Elf64_Phdr, p_offset), &far, sizeof far),
                    PROGRAM_UNKNOWN);
    CU_ASSERT_EQUAL(kind_with(offsetof(Elf64_Ehdr, e_phoff), &far, sizeof far), PROGRAM_UNKNOWN);
}

/* Gaining what one has already is no gain: the kernel does not start it in secure mode. */
static void privileges(void)
{
    struct program_file file;
    int fd;

    CU_ASSERT_EQUAL(kind_of(own, own_length, 04700), PROGRAM_DYNAMIC);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CU_ASSERT_EQUAL(program_look_at(fd, &file), PROGRAM_DYNAMIC);
    CU_ASSERT_EQUAL(file.gain, GAINS_USER);
    close(fd);
    if (geteuid() != 0 || chown(path, 1, 1) != 0 || chmod(path, 04711) != 0)
        return; /* only root can give a file to somebody else */
    CU_ASSERT_EQUAL(program_look(path), PROGRAM_PRIVILEGED);
    CU_ASSERT_EQUAL(chmod(path, 02711), 0);
    CU_ASSERT_EQUAL(program_look(path), PROGRAM_PRIVILEGED);
    CU_ASSERT_EQUAL(chmod(path, 02701), 0); /* without the group's x it means something else */
    CU_ASSERT_EQUAL(program_look(path), PROGRAM_DYNAMIC);
    CU_ASSERT_EQUAL(seteuid(1), 0);
    CU_ASSERT_EQUAL(program_look("/proc/self/exe"), PROGRAM_PRIVILEGED);
    CU_ASSERT_EQUAL(seteuid(0), 0);
}

static enum program_kind kind_of_script(const char *text)
{
    put(other, text, strlen(text), 0700);
    return program_look(other);
}

static void scripts(void)
{
    char text[600];

    kind_of(own, own_length, 0700);
    snprintf(text, sizeof text, "#! \t%s -x y\nz\n", path);
    CU_ASSERT_EQUAL(kind_of_script(text), PROGRAM_DYNAMIC);
    snprintf(text, sizeof text, "#!%s", path);
    CU_ASSERT_EQUAL(kind_of_script(text), PROGRAM_DYNAMIC);
    CU_ASSERT_EQUAL(kind_of_script("echo\n"), PROGRAM_DYNAMIC); /* as execvp does it: by /bin/sh */
    CU_ASSERT_EQUAL(kind_of_script("#!\n"), PROGRAM_UNKNOWN);
    CU_ASSERT_EQUAL(kind_of_script("#!/no/such/file\n"), PROGRAM_UNKNOWN);
    snprintf(text, sizeof text, "#!%s\n", other);
    CU_ASSERT_EQUAL(kind_of_script(text), PROGRAM_UNKNOWN);
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "#!/", 3);
    text[sizeof text - 1] = '\0';
    CU_ASSERT_EQUAL(kind_of_script(text), PROGRAM_UNKNOWN);
}

static void what_is_no_file(void)
{
    CU_ASSERT_EQUAL(program_look(directory), PROGRAM_UNKNOWN);
    CU_ASSERT_EQUAL(program_look("/no/such/file"), PROGRAM_UNKNOWN);
    CU_ASSERT_EQUAL(program_look("/dev/null"), PROGRAM_UNKNOWN);
    unlink(path);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0700), 0);
    CU_ASSERT_EQUAL(program_look(path), PROGRAM_UNKNOWN); /* and does not wait for a writer */
}

static CU_TestInfo tests[] = {
    { "dynamic", dynamic },
    { "static", static_programs },
    { "foreign", foreign_programs },
    { "Go", go_programs },
    { "cut short", cut_short },
    { "privileges", privileges },
    { "scripts", scripts },
    { "what is no file", what_is_no_file },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    unsigned failures;

    if (!mkdtemp(directory) || file_read("/proc/self/exe", 64 << 20, &own, &own_length) != 0)
        return 1;
    snprintf(path, sizeof path, "%s/program", directory);
    snprintf(other, sizeof other, "%s/script", directory);
    failures = check_suite("program", NULL, NULL, tests);
    free(own);
    unlink(path);
    unlink(other);
    rmdir(directory);
    return failures ? 1 : 0;
}
