/* Any JSON answer, laid out for people: scalars as lines, lists of objects as tables. */
#ifndef MESHCTL_JSON_VIEW_H
#define MESHCTL_JSON_VIEW_H

#include "json.h"

void json_view(const struct json *json, int indent);

#endif
