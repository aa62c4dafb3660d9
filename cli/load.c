/* See load.h. */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "http_answer.h"

#include "base/banned.h"

enum { SILENCE_MS = 5000, EVENTS = 64, PIECE = 65536 };

struct line {
    int fd;                        /* -1: none */
    bool is_connected, is_waiting; /* waiting: a request is out */
    bool is_reused;                /* something was answered on this connection */
    uint64_t began, number;        /* of the request that is out, or next */
    uint64_t again; /* when its connection was made anew, as the last answer ended the one before; or 0 */
    size_t sent;
    struct http_answer answer;
};

struct load {
    const struct load_plan *plan;
    struct load_result *result;
    struct addrinfo *to;
    struct buf request;
    struct line *lines;
    int set, timer;
    uint64_t start; /* of the schedule */
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* The first reason counts. */
static void give_up(struct load *load, enum load_end end, const char *why)
{
    if (load->result->end != LOAD_DONE)
        return;
    load->result->end = end;
    snprintf(load->result->why, sizeof load->result->why, "%s", why);
}

static void watch(struct load *load, struct line *line, int operation, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = line };
    if (epoll_ctl(load->set, operation, line->fd, &event) != 0)
        give_up(load, LOAD_BROKEN, strerror(errno));
}

static void hang_up(struct line *line)
{
    if (line->fd >= 0)
        close(line->fd);
    line->fd = -1;
    line->is_connected = line->is_reused = false;
}

static void dial(struct load *load, struct line *line)
{
    int one = 1;
    hang_up(line);
    line->fd = socket(load->to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (line->fd < 0) {
        give_up(load, LOAD_BROKEN, strerror(errno));
        return;
    }
    setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(line->fd, load->to->ai_addr, load->to->ai_addrlen) != 0 && errno != EINPROGRESS) {
        give_up(load, LOAD_NO_CONNECTION, strerror(errno));
        return;
    }
    load->result->connections++;
    watch(load, line, EPOLL_CTL_ADD, EPOLLOUT);
}

/* Requests are due at equal distances, one line after the other. */
static uint64_t due(const struct load *load, const struct line *line)
{
    const struct load_plan *plan = load->plan;
    uint64_t place = line->number * plan->connections + (uint64_t)(line - load->lines);
    return plan->rate ? load->start + place * 1000000000 / plan->rate : 0;
}

/* A connection that the server has closed between two answers is made anew, and the request sent again. */
static void lost(struct load *load, struct line *line, const char *why)
{
    if (line->is_reused && line->answer.part == HTTP_STATUS && line->answer.line_length == 0)
        dial(load, line);
    else
        give_up(load, LOAD_CUT, why);
}

static void send_rest(struct load *load, struct line *line)
{
    ssize_t n =
        send(line->fd, load->request.data + line->sent, load->request.length - line->sent, MSG_NOSIGNAL);
    bool was_whole = line->sent == 0;

    if (n < 0 && errno != EAGAIN) {
        lost(load, line, strerror(errno));
        return;
    }
    line->sent += n > 0 ? (size_t)n : 0;
    if (line->sent < load->request.length)
        watch(load, line, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    else if (!was_whole)
        watch(load, line, EPOLL_CTL_MOD, EPOLLIN);
}

/* The next request, where none is out and it is due. */
static void ask(struct load *load, struct line *line)
{
    uint64_t now = now_ns(), when = due(load, line);
    if (line->is_waiting || !line->is_connected || when > now)
        return;
    line->is_waiting = true;
    line->began = when ? when : line->again ? line->again : now;
    line->again = 0;
    line->number++;
    line->sent = 0;
    http_answer_begin(&line->answer);
    send_rest(load, line);
}

static void established(struct load *load, struct line *line)
{
    int error = 0;
    socklen_t size = sizeof error;

    getsockopt(line->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        give_up(load, LOAD_NO_CONNECTION, strerror(error));
        return;
    }
    line->is_connected = true;
    watch(load, line, EPOLL_CTL_MOD, EPOLLIN);
    if (line->is_waiting) { /* its connection was lost */
        line->sent = 0;
        send_rest(load, line);
    } else {
        ask(load, line);
    }
}

static void answered(struct load *load, struct line *line)
{
    uint64_t now = now_ns();
    histogram_record(&load->result->latency, now - line->began);
    load->result->answers++;
    load->result->errors += line->answer.status >= 400;
    line->is_waiting = false;
    line->is_reused = true;
    line->again = line->answer.closes ? now : 0; /* the next request has to wait for it */
    if (line->answer.closes)
        dial(load, line);
    else
        ask(load, line);
}

static void receive(struct load *load, struct line *line)
{
    static char bytes[PIECE];
    ssize_t n = recv(line->fd, bytes, sizeof bytes, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 && line->is_waiting && n == 0 && http_answer_is_whole(&line->answer)) {
        answered(load, line);
    } else if (n <= 0 && line->is_waiting) {
        lost(load, line, n == 0 ? "" : strerror(errno));
    } else if (n <= 0) {
        dial(load, line);
    } else if (line->is_waiting) {
        size_t used = http_answer_take(&line->answer, bytes, (size_t)n);
        if (line->answer.part == HTTP_WRONG || used < (size_t)n)
            give_up(load, LOAD_NOT_HTTP, "");
        else if (line->answer.part == HTTP_COMPLETE)
            answered(load, line);
    } else {
        give_up(load, LOAD_NOT_HTTP, "");
    }
}

static void serve(struct load *load, struct line *line, uint32_t events)
{
    if (!line->is_connected)
        established(load, line);
    else if (events & ~(uint32_t)EPOLLOUT)
        receive(load, line);
    else
        send_rest(load, line);
}

/* Until the earliest moment from now on at which some line has a request due; a busy one asks when it has its answer. */
static void set_timer(struct load *load)
{
    uint64_t now = now_ns(), earliest = now + 1000000000;
    for (unsigned i = 0; i < load->plan->connections; i++) {
        const struct line *line = &load->lines[i];
        uint64_t when = due(load, line);
        if (when < earliest && (when > now || (line->is_connected && !line->is_waiting)))
            earliest = when;
    }
    struct itimerspec at = { .it_value = { (time_t)(earliest / 1000000000), (long)(earliest % 1000000000) } };
    timerfd_settime(load->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void ask_all(struct load *load)
{
    uint64_t times;
    if (read(load->timer, &times, sizeof times) < 0 && errno != EAGAIN)
        give_up(load, LOAD_BROKEN, strerror(errno));
    for (unsigned i = 0; i < load->plan->connections; i++)
        ask(load, &load->lines[i]);
    set_timer(load);
}

static void run_until(struct load *load, uint64_t end)
{
    struct epoll_event events[EVENTS];
    uint64_t heard = now_ns();

    while (load->result->end == LOAD_DONE && now_ns() < end) {
        uint64_t answers = load->result->answers;
        int n = epoll_wait(load->set, events, EVENTS, 100);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                serve(load, events[i].data.ptr, events[i].events);
            else
                ask_all(load);
        }
        if (load->result->answers > answers)
            heard = now_ns();
        else if (now_ns() - heard > SILENCE_MS * 1000000ULL)
            give_up(load, LOAD_SILENT, "");
        if (load->result->answers == 0 && now_ns() >= end) /* a slow service: at least one */
            end += 100000000;
    }
}

static struct line *lines_new(unsigned count)
{
    struct line *lines = calloc(count, sizeof *lines);
    for (unsigned i = 0; lines && i < count; i++)
        lines[i].fd = -1;
    return lines;
}

static bool begin(struct load *load)
{
    struct epoll_event due_event = { .events = EPOLLIN };
    const struct target *target = load->plan->target;
    const char *why = "";

    load->to = target_resolve(target, &why);
    if (!load->to) {
        give_up(load, LOAD_UNKNOWN_HOST, why);
        return false;
    }
    buf_printf(&load->request,
               "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: meshctl-bench\r\nAccept: */*\r\n\r\n",
               target->path, target->text);
    load->lines = lines_new(load->plan->connections);
    load->set = epoll_create1(EPOLL_CLOEXEC);
    load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!load->lines || load->request.failed || load->set < 0 || load->timer < 0 ||
        epoll_ctl(load->set, EPOLL_CTL_ADD, load->timer, &due_event) != 0) {
        give_up(load, LOAD_BROKEN, strerror(errno));
        return false;
    }
    load->start = now_ns();
    for (unsigned i = 0; i < load->plan->connections; i++)
        dial(load, &load->lines[i]);
    if (load->plan->rate)
        set_timer(load);
    return load->result->end == LOAD_DONE;
}

static void finish(struct load *load)
{
    for (unsigned i = 0; load->lines && i < load->plan->connections; i++)
        hang_up(&load->lines[i]);
    if (load->to)
        freeaddrinfo(load->to);
    free(load->lines);
    buf_free(&load->request);
    close(load->set);
    close(load->timer);
}

void load_run(const struct load_plan *plan, struct load_result *result)
{
    struct load load = { .plan = plan, .result = result, .request = BUF_INIT, .set = -1, .timer = -1 };
    uint64_t start, processor;

    memset(result, 0, sizeof *result);
    if (begin(&load)) {
        run_until(&load, now_ns() + plan->duration_ns / 10);
        memset(&result->latency, 0, sizeof result->latency);
        result->answers = result->errors = 0;
        start = now_ns();
        processor = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        run_until(&load, start + plan->duration_ns);
        result->elapsed_ns = now_ns() - start;
        result->processor_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - processor;
    }
    finish(&load);
}
