/*
 * Room for what needs much stack. Some programs give their threads 16 KiB, of which a handshake alone takes 14, and an allocator of their own
 * may want the rest: there it runs on a stack of ours. Only within quiet.h's stretches, where no signal handler comes onto it.
 */
#ifndef MESHSHIM_ROOMY_H
#define MESHSHIM_ROOMY_H

/* Calls work(argument), here or there. Where there is no memory for another stack, here. */
void roomy_call(void (*work)(void *), void *argument);

#endif
