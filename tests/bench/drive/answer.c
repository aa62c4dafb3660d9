/* See answer.h. */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void question_http(struct question *question, const char *path, bool closes)
{
    int length = snprintf(question->bytes, sizeof question->bytes, "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n",
                          path, closes ? "Connection: close\r\n" : "");
    question->length = (size_t)length;
    question->answers = 1;
    question->is_http = true;
}

void question_redis(struct question *question, bool sets, unsigned times)
{
    const char *one =
        sets ? "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\nxxx\r\n" : "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
    *question = (struct question){ .answers = times };
    for (unsigned i = 0; i < times && question->length + strlen(one) <= sizeof question->bytes; i++) {
        memcpy(question->bytes + question->length, one, strlen(one));
        question->length += strlen(one);
    }
}

/* Bytes behind an HTTP head; -1 where it is not a good answer. */
static long http_body(const char *head)
{
    const char *length = strcasestr(head, "\r\nContent-Length:");
    return strncmp(head, "HTTP/1.1 200 ", 13) == 0 && length ? strtol(length + 17, NULL, 10) : -1;
}

/* Bytes behind a line of Redis. */
static long redis_body(const char *line)
{
    if (*line == '$' && line[1] != '-')
        return strtol(line + 1, NULL, 10) + 2;
    return *line == '+' ? 0 : -1;
}

/* Takes bytes up to the end of the head; how many, or ANSWER_WRONG. */
static long take_head(struct answer *answer, const struct question *question, const char *bytes, size_t count)
{
    const char *end = question->is_http ? "\r\n\r\n" : "\r\n";
    size_t end_length = strlen(end);
    long body;

    for (size_t i = 0; i < count; i++) {
        if (answer->head_length == sizeof answer->head - 1)
            return ANSWER_WRONG;
        answer->head[answer->head_length++] = bytes[i];
        if (bytes[i] != '\n' || answer->head_length < end_length ||
            memcmp(answer->head + answer->head_length - end_length, end, end_length) != 0)
            continue;
        answer->head[answer->head_length] = '\0';
        body = question->is_http ? http_body(answer->head) : redis_body(answer->head);
        if (body < 0)
            return ANSWER_WRONG;
        answer->body_left = (size_t)body;
        answer->in_body = true;
        return (long)i + 1;
    }
    return (long)count;
}

int answer_take(struct answer *answer, const struct question *question, const char *bytes, size_t count)
{
    int completed = 0;
    while (count > 0) {
        long taken = (long)(count < answer->body_left ? count : answer->body_left);
        if (!answer->in_body)
            taken = take_head(answer, question, bytes, count);
        else
            answer->body_left -= (size_t)taken;
        if (taken < 0)
            return ANSWER_WRONG;
        bytes += taken;
        count -= (size_t)taken;
        if (answer->in_body && answer->body_left == 0) {
            answer->in_body = false;
            answer->head_length = 0;
            completed++;
        }
    }
    return completed;
}
