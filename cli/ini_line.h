/* Where a section or one of its keys stands in an ini file, to point at it. */
#ifndef MESHCTL_INI_LINE_H
#define MESHCTL_INI_LINE_H

/* The line of `key` in `section` ("service payments"), else of the section, else 0. `text` may be NULL. */
unsigned ini_line(const char *text, const char *section, const char *key);

#endif
