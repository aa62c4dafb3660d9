/* What a snapshot is made of. For policy/ alone: config fills it in, snapshot and match read it. */
#ifndef MESHSHIM_SNAPSHOT_PARTS_H
#define MESHSHIM_SNAPSHOT_PARTS_H

#include "policy/address.h"
#include "policy/match.h"
#include "policy/snapshot.h"

/* Something that a program dials. */
struct host {
    char *name; /* lower case, no trailing dot; NULL: `address` is meant */
    struct address address;
    unsigned line;
};

struct host_list {
    struct host *items;
    size_t count;
};

struct service_record {
    struct service service;
    struct host_list hosts;
    unsigned line;
};

struct snapshot {
    _Atomic uint32_t references;
    char *path;
    struct workload workload;
    struct inbound_policy inbound;
    struct inbound_policy *ports; /* sorted by port */
    size_t port_count;
    struct service_record *services;
    size_t service_count;
    struct match match;
};

/* Empty, with one reference; NULL: no memory. */
struct snapshot *snapshot_new(const char *path);

/* The parts free what they own, not themselves. */
void identity_list_clear(struct identity_list *list);
/* A deep copy; false: no memory, and `to` is empty. */
bool identity_list_copy(const struct identity_list *from, struct identity_list *to);
void host_list_clear(struct host_list *list);
void service_clear_endpoints(struct service *service);
/* Prints a host as it would be written in the file. */
void host_write(const struct host *host, struct buf *out);

#endif
