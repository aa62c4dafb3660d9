/* "did you mean": the known name with the fewest letters changed. */
#ifndef MESHCTL_NEAREST_H
#define MESHCTL_NEAREST_H

/* The command nearest to `word`, or NULL where none is near. */
const char *nearest_command(const char *word);

#endif
