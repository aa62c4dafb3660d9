/* What a comparison shows: a table and a sentence, or JSON. */
#ifndef MESHCTL_BENCH_REPORT_H
#define MESHCTL_BENCH_REPORT_H

#include "comparison.h"
#include "options.h"

enum measure { MEASURE_COUNT, MEASURE_NS, MEASURE_KIB };

struct measured {
    const char *name; /* for people; NULL: only in JSON */
    const char *key;  /* in JSON, with its unit */
    enum measure measure;
    double plain, meshed;
};

/* A number of that kind for people, "1.03 s"; kept until the eighth call after this. */
const char *measure_text(enum measure measure, double value);
/* Writes rows, and below them the verdict on `series` in the words of `claim`. */
void bench_report(enum format format, const char *subject, const struct measured *rows, size_t count,
                  const struct series *series, enum measure measure, const struct claim *claim);

#endif
