/* Control data of messages: descriptors of ours on other sockets (SCM_RIGHTS), and what TCP itself tells. */
#ifndef MESHSHIM_MESSAGE_H
#define MESHSHIM_MESSAGE_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "conn/conn.h"

/* recvmsg has given `result`: what has come is taken up. Returns `result`; errno stays. */
ssize_t message_received(ssize_t result, const struct msghdr *msg, int flags);
/* sendmsg of a message with control data. */
ssize_t message_send(int channel, const struct msghdr *msg, int flags);
/* Any of them has control data, so that they must go one by one. */
bool message_carries(const struct mmsghdr *vec, unsigned n);
/* A message of a protected connection was received: the control data that TCP would add (TCP_INQ), or none. errno stays. */
void message_tell_queued(struct conn *conn, int fd, struct msghdr *msg);

#endif
