/* The program that is made to fail, shared by its files: see subject_main.c. */
#ifndef FAULTS_SUBJECT_H
#define FAULTS_SUBJECT_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

static const char canary[] = "canary-in-the-clear ";
enum { PIECE = 100, LARGE = 40000, GREETING = sizeof canary - 1, PATIENCE = 20 };

/* subject_main.c */
extern char *own_path;
extern const char *step; /* for the sentence */
void wrong(const char *what) __attribute__((noreturn));

/* subject_bytes.c: all of it, or false. */
void fill(char *at, size_t n, size_t from);
void check(const char *at, size_t n, size_t from);
bool wait_for(int fd, short events);
bool again(int fd, short events); /* after an errno */
bool put(int fd, const char *at, size_t n);
bool get(int fd, char *at, size_t n);
bool put_canary(int fd, size_t n);
bool get_canary(int fd, size_t n);
bool echo(int fd, size_t n);
bool ask(int fd, size_t n);

/* subject_held.c: what is open, and what is held. */
struct measure {
    uint64_t heap, arena, descriptors;
};
struct measure measure(void);
void tell_descriptors(void);
void wait_for_ends(void); /* of connections that the program has closed */

/* subject_children.c: the same job in a child, or in this program started anew. */
bool by_child(int fd, size_t n, bool (*job)(int, size_t));
bool by_program(int fd, size_t n, char *job, bool spawn);

/* subject_server.c */
struct command {
    char what;
    char unused[3];
    uint32_t n;
};
int server(void);

/* subject_admin.c */
bool admin_round(void);   /* every page, and a reload */
bool watch_round(void);   /* a change that the library notices by itself */
bool admin_answers(void); /* where there is a socket to ask at */

/* subject_wide.c */
enum { WIDE_JOBS = 8 };
bool wide_job(const struct sockaddr_in *address, int job); /* one of them */
bool wide_round(const struct sockaddr_in *address);        /* all */

/* subject_client.c */
bool command(int fd, char what, size_t n);
bool at_end(int fd);
bool waiting_round(const struct sockaddr_in *address); /* with calls that wait */
bool event_round(const struct sockaddr_in *address);   /* with events */
bool in_time(const struct sockaddr_in *address);       /* where nothing fails any longer */
int client(const char *port, const char *scene);

/* subject_storm.c */
int storm(const char *port, int rounds, bool there);
bool calm(const struct sockaddr_in *address); /* rounds without a fault */
bool look(const struct sockaddr_in *address, bool there, struct measure *now);

/* subject_trials.c */
int trials(const char *port, bool there);

/* subject_switch.c */
struct fault_control *fault_control(void); /* NULL: nothing is to fail */
void faults(int mode); /* from here on calls fail in the given mode, or not, nor are they counted */

#endif
