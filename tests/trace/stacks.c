/* Threads with small stacks. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

struct small {
    struct side *side;
    int result, fd;
    bool by_select;
};

static void *talk_on_small_stack(void *argument)
{
    struct small *small = argument;
    int fd =
        small->side->client ? socket(AF_INET, SOCK_STREAM, 0) : accept(small->side->listener, NULL, NULL);
    volatile char own[3000]; /* the program needs some of it as well */
    char byte = 'b';
    own[0] = own[sizeof own - 1] = byte;
    small->fd = fd;
    if (small->side->client) {
        if (small->by_select) {
            fd_set set;
            fcntl(fd, F_SETFL, O_NONBLOCK);
            connect(fd, (struct sockaddr *)&small->side->address, sizeof small->side->address);
            FD_ZERO(&set);
            FD_SET(fd, &set);
            if (select(fd + 1, NULL, &set, NULL, NULL) != 1)
                return NULL;
            fcntl(fd, F_SETFL, 0);
        } else if (connect(fd, (struct sockaddr *)&small->side->address, sizeof small->side->address)) {
            return NULL;
        }
        small->result = send(fd, &byte, 1, 0) == 1 && recv(fd, &byte, 1, 0) == 1;
    } else {
        small->result = recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, 0) == 1;
    }
    return NULL;
}

static void small_stack(struct side *s, bool by_select)
{
    struct small small = { s, -1, -1, by_select };
    pthread_attr_t attributes;
    pthread_t thread;
    int error;
    pthread_attr_init(&attributes);
    error = pthread_attr_setstacksize(&attributes, 16384);
    say("16 KiB %s", error ? strerrorname_np(error) : "are enough");
    if (pthread_create(&thread, &attributes, talk_on_small_stack, &small))
        fail("pthread_create");
    pthread_join(thread, NULL);
    say("talked %d", small.result);
    meet(s);
    close(small.fd);
}

void script_small_stack(struct side *s)
{
    small_stack(s, false);
    small_stack(s, false);
}

void script_small_stack_select(struct side *s)
{
    small_stack(s, true);
}
