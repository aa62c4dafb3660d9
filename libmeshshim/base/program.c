/* See program.h. */
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"

enum { SCRIPTS_MOST = 5 }; /* as the kernel: a script's interpreter may be a script */

/* A part of the file: its tables are read in small pieces that lie close together. */
struct window {
    int fd;
    uint64_t start;
    size_t length;
    char data[1024];
};

static void move_window(struct window *window, uint64_t offset)
{
    ssize_t n =
        offset <= INT64_MAX ? pread(window->fd, window->data, sizeof window->data, (off_t)offset) : -1;
    window->start = offset;
    window->length = n > 0 ? (size_t)n : 0;
}

static bool read_window(void *file, uint64_t offset, void *out, size_t length)
{
    struct window *window = file;
    if (offset < window->start || offset - window->start > window->length ||
        window->length - (offset - window->start) < length)
        move_window(window, offset);
    if (window->length - (offset - window->start) < length)
        return false;
    memcpy(out, window->data + (offset - window->start), length);
    return true;
}

static enum program_gain gain_of(int fd, const struct stat *st)
{
    if (st->st_mode & S_ISUID)
        return GAINS_USER;
    if ((st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP))
        return GAINS_GROUP;
    return fgetxattr(fd, "security.capability", NULL, 0) > 0 ? GAINS_CAPABILITIES : GAINS_NOTHING;
}

/* The kernel's rule for AT_SECURE. A program that has left its own rights behind hands the mark on to what it executes. */
static bool is_secure(int fd, const struct stat *st, enum program_gain gain)
{
    struct statfs fs;
    uid_t uid = geteuid();
    gid_t gid = getegid();
    bool is_granted = gain != GAINS_NOTHING && libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 &&
                      !(fstatfs(fd, &fs) == 0 && (fs.f_flags & ST_NOSUID));

    if (is_granted && (st->st_mode & S_ISUID))
        uid = st->st_uid;
    if (is_granted && (st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP))
        gid = st->st_gid;
    return uid != getuid() || gid != getgid() || (is_granted && gain == GAINS_CAPABILITIES && getuid() != 0);
}

static enum program_kind kind_of_elf(const struct elf_facts *elf)
{
    if (!elf->is_native)
        return PROGRAM_FOREIGN;
    if (!elf->is_program || elf->is_damaged)
        return PROGRAM_UNKNOWN;
    if (elf->is_go)
        return PROGRAM_GO;
    if (!elf->has_interpreter)
        return PROGRAM_STATIC;
    return elf_loader_is_glibc(elf->interpreter) ? PROGRAM_DYNAMIC : PROGRAM_FOREIGN;
}

/* "#!" and a line; or text, told by what the shells look for. */
static enum program_kind kind_of_other(struct window *window, char line[256])
{
    const char *start = window->data, *end;
    size_t most = window->length < 128 ? window->length : 128;

    line[0] = '\0';
    if (window->length < 2 || memcmp(start, "#!", 2) != 0) {
        if (most == 0 || *start == '\177' || memchr(start, '\0', most))
            return PROGRAM_UNKNOWN;
        memcpy(line, "/bin/sh", sizeof "/bin/sh");
        return PROGRAM_SCRIPT;
    }
    start += 2;
    most = window->length - 2 < 255 ? window->length - 2 : 255;
    end = memchr(start, '\n', most);
    most = end ? (size_t)(end - start) : most;
    memcpy(line, start, most);
    line[most] = '\0';
    return PROGRAM_SCRIPT;
}

enum program_kind program_look_at(int fd, struct program_file *file)
{
    struct window window = { .fd = fd };
    struct stat st;

    memset(file, 0, sizeof *file);
    if (fstat(fd, &st) != 0) {
        file->error = errno;
        return file->kind;
    }
    if (!S_ISREG(st.st_mode)) {
        file->error = S_ISDIR(st.st_mode) ? EISDIR : EACCES;
        return file->kind;
    }
    elf_look(read_window, &window, &file->elf);
    if (file->elf.is_elf) {
        file->gain = gain_of(fd, &st);
        file->kind = kind_of_elf(&file->elf);
        if (file->kind == PROGRAM_DYNAMIC && is_secure(fd, &st, file->gain))
            file->kind = PROGRAM_PRIVILEGED;
    } else {
        move_window(&window, 0);
        file->kind = kind_of_other(&window, file->line);
    }
    return file->kind;
}

/* The first word of a script's line. */
static bool next_path(char line[256], const char **path)
{
    line += strspn(line, " \t");
    line[strcspn(line, " \t")] = '\0';
    *path = line;
    return *line != '\0';
}

enum program_kind program_look(const char *path)
{
    struct program_file file;
    char line[256];

    for (int i = 0; i < SCRIPTS_MOST; i++) {
        int fd = libc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
        if (fd < 0)
            return PROGRAM_UNKNOWN;
        program_look_at(fd, &file);
        libc.close(fd);
        if (file.kind != PROGRAM_SCRIPT)
            return file.kind;
        memcpy(line, file.line, sizeof line);
        if (!next_path(line, &path))
            return PROGRAM_UNKNOWN;
    }
    return PROGRAM_UNKNOWN;
}
