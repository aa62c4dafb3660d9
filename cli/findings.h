/* What analyze has found: collected, sorted by line, told. The codes are in findings.def. */
#ifndef MESHCTL_FINDINGS_H
#define MESHCTL_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

enum severity { INFO, WARNING, ERROR };

enum finding_code {
#define FINDING(code, severity, meaning) code,
#include "findings.def"
#undef FINDING
    FINDING_CODES
};

struct finding {
    enum finding_code code;
    unsigned line; /* 0: the file as a whole */
    size_t order;
    char *text;
};

struct findings_list {
    const char *file; /* borrowed */
    struct finding *items;
    size_t count;
    bool failed; /* out of memory: some are missing */
};

void finding_add(struct findings_list *list, enum finding_code code, unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Sorts by line. */
void findings_sort(struct findings_list *list);
void findings_write_text(const struct findings_list *list);
void findings_write_json(const struct findings_list *list);
bool findings_reach(const struct findings_list *list, enum severity threshold);
void findings_clear(struct findings_list *list);

/* The table of codes. */
void findings_write_codes(void);
const char *severity_name(enum severity severity);

#endif
