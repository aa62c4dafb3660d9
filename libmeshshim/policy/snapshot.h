/*
 * What the configuration says, as one immutable, reference-counted value.
 *
 * A snapshot is built whole by config_load(), checked whole, and never changed afterwards, except
 * for the atomics that load balancing keeps in each endpoint. Connections hold a reference to theirs.
 */
#ifndef MESHSHIM_SNAPSHOT_H
#define MESHSHIM_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Istio PeerAuthentication: STRICT, PERMISSIVE, DISABLE. */
enum mtls_mode { MTLS_STRICT, MTLS_PERMISSIVE, MTLS_OFF };
enum protocol { PROTOCOL_TCP, PROTOCOL_HTTP };
/* Envoy's lb_policy; peak_ewma is Linkerd's. */
enum load_balancer { LB_LEAST_REQUEST, LB_ROUND_ROBIN, LB_RANDOM, LB_PEAK_EWMA, LB_RING_HASH };

enum session_resumption { RESUMPTION_NO, RESUMPTION_YES, RESUMPTION_WITHOUT_FORWARD_SECRECY };

/* What meshctl run does with a program that the library cannot be preloaded into. */
enum unmeshable_policy { UNMESHABLE_REFUSE, UNMESHABLE_WARN };

/* Who seals and opens the records. auto: the kernel, where it offers that and can change keys. */
enum record_layer { RECORD_LAYER_AUTO, RECORD_LAYER_USER, RECORD_LAYER_KERNEL };

/* A PEM file: its name and, read when the configuration was, its text (a later chroot or setuid must not matter). */
struct pem_file {
    char *path; /* NULL: not configured */
    char *text; /* NULL: could not be read */
    size_t length;
    int error; /* the errno of reading it */
};

struct workload {
    char *name;         /* service account part of the identity */
    char *namespace_;   /* default "default" */
    char *trust_domain; /* default "cluster.local" */
    char *spiffe_id;    /* spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/NAME */
    char *runtime_dir;  /* resolved: never NULL */
    struct pem_file certificate, private_key, trust_bundle;
    enum unmeshable_policy unmeshable;
    enum record_layer record_layer;
    bool keep_preload; /* what the program starts is meshed too, even with an environment of its own */
};

/* Client identities let in, or server identities accepted: "NS/NAME" with * for a whole part, or a whole SPIFFE ID. */
struct identity_list {
    char **patterns;
    size_t count; /* 0: any identity of the trust domain */
};

struct inbound_policy {
    uint16_t port; /* 0: the [inbound] default */
    enum mtls_mode mtls;
    enum protocol protocol;
    struct identity_list allow;
    int64_t handshake_timeout_ms;
    int64_t handshake_grace_ms;
    enum session_resumption session_resumption;
    bool tolerate_truncation;
};

struct endpoint {
    struct sockaddr_storage address;
    socklen_t address_length;
    char *text;              /* "10.1.0.5:8080", "[fd00::1]:8080" */
    _Atomic uint32_t active; /* connections of this process now */
    _Atomic uint64_t rtt_ewma_ns;
    _Atomic int64_t rtt_updated_ns;
};

struct service {
    char *name;
    uint16_t port;       /* 0: any */
    enum mtls_mode mtls; /* never permissive */
    enum protocol protocol;
    struct identity_list identity;
    struct endpoint *endpoints;
    size_t endpoint_count; /* 0: the address that the program dialled */
    enum load_balancer load_balancer;
    int64_t connect_timeout_ms;
    unsigned connect_retries;
    int64_t handshake_timeout_ms;
    int64_t handshake_grace_ms;
    enum session_resumption session_resumption;
    bool tolerate_truncation;
    _Atomic uint32_t next_endpoint; /* round robin's position */
};

struct snapshot; /* private to policy/ */

/* References. snapshot_unref(NULL) does nothing; the last one wipes the private key and frees. */
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

/*
 * A program that has given up rights since it read its files (nginx's workers) may not be able to read new ones: where that is so, `fresh`, which
 * nobody else has yet, goes on with what `last` has read of them, the certificate and its key together. The file that is missed; NULL: none.
 */
const char *snapshot_keep_lost(struct snapshot *fresh, const struct snapshot *last);

const struct workload *snapshot_workload(const struct snapshot *snapshot);
/* The file it came from, as given. */
const char *snapshot_path(const struct snapshot *snapshot);
/* The policy of a listening port: the section of that port, else [inbound]. Never NULL. */
const struct inbound_policy *snapshot_inbound(const struct snapshot *snapshot, uint16_t port);
/*
 * The service that a program dials at `address` (AF_INET, AF_INET6; v4-mapped counts as v4), having
 * learnt it from `name` (NULL: it dialled the number). Most specific wins: exact name, exact address,
 * longest prefix; among equals a service that names the port before one for any. NULL: none, pass untouched.
 */
const struct service *snapshot_match(const struct snapshot *snapshot, const struct sockaddr *address,
                                     socklen_t length, const char *name);
/* The service that names host `name`, for any port; NULL where none does. */
const struct service *snapshot_match_name(const struct snapshot *snapshot, const char *name);
/* Iteration for /config, meshctl and analyze. */
size_t snapshot_service_count(const struct snapshot *snapshot);
const struct service *snapshot_service(const struct snapshot *snapshot, size_t index);
size_t snapshot_inbound_count(const struct snapshot *snapshot); /* without the default */
const struct inbound_policy *snapshot_inbound_at(const struct snapshot *snapshot, size_t index);

/* Does any service or port resume sessions? */
bool snapshot_resumes(const struct snapshot *snapshot);

/* Does `spiffe_id` match the list, given the trust domain for "NS/NAME" patterns and for an empty list? */
bool identity_list_matches(const struct identity_list *list, const char *trust_domain, const char *spiffe_id);

#endif
