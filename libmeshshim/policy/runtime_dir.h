/* Where counters and admin sockets live when nobody has said where. */
#ifndef MESHSHIM_RUNTIME_DIR_H
#define MESHSHIM_RUNTIME_DIR_H

/* A Unix socket's name holds 107 bytes; "/PID.sock" takes up to 16 of them, with room for a longer pid. */
#define RUNTIME_DIR_MOST 91

/* /run/meshshim if writable, else $XDG_RUNTIME_DIR/meshshim, else /tmp/meshshim-UID. malloc'ed; NULL: no
 * memory. */
char *runtime_dir_default(void);

#endif
