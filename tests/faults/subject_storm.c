/* Many rounds, and what is held after them. */
#include "subject.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/libc.h"
#include "control.h"

static bool told(const struct sockaddr_in *address, struct measure *answer)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool good = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
                get_canary(fd, GREETING) && command(fd, 'm', 0) && get(fd, (char *)answer, sizeof *answer) &&
                command(fd, 'q', 0) && at_end(fd);
    if (fd >= 0)
        close(fd);
    return good;
}

bool calm(const struct sockaddr_in *address)
{
    bool good;
    faults(FAULT_NONE);
    good = in_time(address);
    for (int i = 0; i < 6 && good; i++)
        good = i % 2 ? event_round(address) : waiting_round(address);
    return good;
}

bool look(const struct sockaddr_in *address, bool there, struct measure *now)
{
    if (there)
        return told(address, now);
    *now = measure();
    return true;
}

int storm(const char *port, int rounds, bool there)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    struct measure after[3];
    int good = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int part = 0; part < 3; part++) {
        if (part)
            faults(FAULT_RATE);
        for (int i = 0; part && i < rounds; i++) {
            alarm(PATIENCE);
            good += i % 2 ? event_round(&address) : waiting_round(&address);
        }
        alarm(PATIENCE);
        if (!calm(&address) || !look(&address, there, &after[part]))
            return 4;
        printf("%s %d rounds of %d: heap %llu, arena %llu, descriptors %llu\n", part ? "# after" : "# before",
               good, part * rounds, (unsigned long long)after[part].heap,
               (unsigned long long)after[part].arena, (unsigned long long)after[part].descriptors);
        fflush(stdout);
    }
    tell_descriptors();
    return after[2].descriptors != after[1].descriptors || after[2].arena > after[1].arena ||
                   after[2].heap > after[1].heap + 65536
               ? 5
               : 0;
}
