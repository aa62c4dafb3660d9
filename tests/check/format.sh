# shellcheck shell=bash
# Every C file looks as .clang-format says.
. tests/check/say.sh
needs clang-format format

mapfile -t files < <(tracked '*.c' '*.h')
found=$(clang-format --dry-run "${files[@]}" 2>&1 | sed -n 's/^\([^:]*\):\([0-9]*\):.*\[-Wclang-format-violations\]$/\1 \2/p' |
    awk '{ if (!count[$1]++) first[$1] = $2 } END { for (f in first) print f ":" first[f] ": " count[f] " places" }' | sort)
verdict "format: ${#files[@]} C files" "$found" "clang-format would change these; make format"
