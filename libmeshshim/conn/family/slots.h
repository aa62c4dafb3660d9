/*
 * The processes of the family, each in a numbered slot.
 *
 * A process that was killed cannot say that it is gone, and process ids mean nothing across pid namespaces and are used again. So each
 * member holds a POSIX lock on its slot's byte of the family's file: the kernel drops it with the process, keeps it over exec, and tells
 * anybody who asks. Only a child that has not run yet is known by the id that its parent wrote down. An id counts in its pid namespace alone. (Not
 * locks of the open file description: members inherit that from one another, so none could ever see another's.)
 */
#ifndef MESHSHIM_SLOTS_H
#define MESHSHIM_SLOTS_H

#include <stdbool.h>
#include <sys/types.h>

/* This process' own slot, taken at first need; -1: the family is full. */
int slots_own(void);
/* A slot for a child that is about to be born by fork; -1: the family is full. */
int slots_reserve(void);
/* The same, where posix_spawn or its kin will start a program: that finds it by its parent. `id_follows`: slots_born will be called. */
int slots_reserve_spawned(bool id_follows);
/* The child lives, under this id. */
void slots_born(int slot, pid_t child);
/* There is no child after all; nothing refers to the slot any more. */
void slots_release(int slot);
/* The program that was to be spawned has not taken the slot, and never will: true, and the caller buries and releases it. */
bool slots_retract(int slot);
/* In the child: the slot that was reserved for it is its own. False: it was not, or was lost; one is taken at first need. */
bool slots_claim(int slot);
/* Before exec: this process' slot outlives the image; a vfork child (`borrowed`) gets one of its own. -1: none. */
int slots_leave(bool borrowed);
/* Exec has failed. */
void slots_stay(int slot, bool borrowed);
/* In a new image: the slot that was left for it; -1: none. */
int slots_arrive(void);

bool slots_lives(int slot);
/* A process of this id, as this process sees it, is a living member; or one that is gone, and made Unix sockets when it was. */
bool slots_is_member(pid_t pid);
/* This process has made a Unix socket, whose other end tells its id even when it is gone. */
void slots_note_channel(void);
/* Before a fork: its channels may outlive it. */
void slots_note_maker(void);
/* Calls `bury` for a few slots whose process is gone; they are free then. */
void slots_sweep(void (*bury)(int slot));

#endif
