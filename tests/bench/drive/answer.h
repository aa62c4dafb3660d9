/* What is asked, and where an answer ends: HTTP/1.1 and Redis. */
#ifndef DRIVE_ANSWER_H
#define DRIVE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct question {
    char bytes[4096]; /* what is sent at once */
    size_t length;
    unsigned answers; /* how many come back */
    bool is_http;
};

/* GET of a path; `closes`: the connection is for this one. */
void question_http(struct question *question, const char *path, bool closes);
/* GET or SET of a value of three bytes, so many times in one piece. */
void question_redis(struct question *question, bool sets, unsigned times);

/* How far one answer after the other has been read. */
struct answer {
    char head[1024];
    size_t head_length, body_left;
    bool in_body;
};

enum { ANSWER_WRONG = -1 };

/* Takes in what was read; how many answers were completed by it, or ANSWER_WRONG where it is not what was asked for. */
int answer_take(struct answer *answer, const struct question *question, const char *bytes, size_t count);

#endif
