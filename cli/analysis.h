/* The rules of `meshctl analyze`: from a configuration to findings. */
#ifndef MESHCTL_ANALYSIS_H
#define MESHCTL_ANALYSIS_H

#include "findings.h"

void analysis_run(struct findings_list *list);

#endif
