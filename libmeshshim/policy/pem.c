/* See pem.h. */
#include "policy/pem.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/banned.h"
#include "base/file.h"

#define PEM_MOST (256 * 1024)

int regular_file_read(const char *path, size_t most, char **data, size_t *length)
{
    struct stat status;
    if (stat(path, &status))
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    return S_ISREG(status.st_mode) ? file_read(path, most, data, length) : EINVAL;
}

/* Every text of ours is in pages, so that pem_clear need not know which of them was the secret one. */
static char *pages_of(const char *text, size_t length, bool secret)
{
    char *pages = mmap(NULL, length + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    if (secret) {
        /* Best effort: an unprivileged program may lock few pages. */
        (void)mlock(pages, length + 1);
        (void)madvise(pages, length + 1, MADV_DONTDUMP);
    }
    memcpy(pages, text, length);
    return pages;
}

void pem_read(struct pem_file *pem, bool secret)
{
    char *text;
    size_t length;

    if (!pem->path)
        return;
    pem->error = regular_file_read(pem->path, PEM_MOST, &text, &length);
    if (pem->error)
        return;
    pem->text = pages_of(text, length, secret);
    pem->length = pem->text ? length : 0;
    pem->error = pem->text ? 0 : ENOMEM;
    explicit_bzero(text, length);
    free(text);
}

static void drop_text(struct pem_file *pem)
{
    if (!pem->text)
        return;
    explicit_bzero(pem->text, pem->length);
    munmap(pem->text, pem->length + 1);
}

static bool has_text_of(const struct pem_file *pem, const struct pem_file *last)
{
    return pem->path && last->text && strcmp(pem->path, last->path) == 0;
}

bool pem_is_lost(const struct pem_file *pem, const struct pem_file *last)
{
    return pem->error == EACCES && has_text_of(pem, last);
}

bool pem_take_text(struct pem_file *pem, const struct pem_file *last, bool secret)
{
    char *text = has_text_of(pem, last) ? pages_of(last->text, last->length, secret) : NULL;
    if (!text)
        return false;
    drop_text(pem);
    pem->text = text;
    pem->length = last->length;
    pem->error = 0;
    return true;
}

void pem_clear(struct pem_file *pem)
{
    free(pem->path);
    drop_text(pem);
    *pem = (struct pem_file){ .path = NULL };
}
