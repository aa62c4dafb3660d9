# shellcheck shell=bash
# House rules that need no compiler.
. tests/check/say.sh

mapfile -t files < <(tracked | grep -v '^tests/fuzz/corpus/')
verdict "rules: no trailing blanks in ${#files[@]} files" "$(grep -nI '[[:blank:]]$' "${files[@]}" | cut -c 1-120)" "remove them"
# The brackets keep this line from finding itself.
verdict "rules: nothing is left for later" "$(grep -nIE '\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b' "${files[@]}" | cut -c 1-120)" \
    "do it, or leave the remark out"
unended=$(for file in "${files[@]}"; do
    [ -s "$file" ] && [ -n "$(tail -c 1 "$file" | tr -d '\n\0')" ] && grep -qI . "$file" && echo "$file"
done)
verdict "rules: files end with a newline" "$unended" "add it"
mapfile -t sources < <(tracked 'libmeshshim/*.c' 'cli/*.c' 'tests/unit/*.c')
verdict "rules: no file of the library, meshctl and the unit suites has more than 500 lines" \
    "$(wc -l "${sources[@]}" | awk '$2 != "total" && $1 > 500 { print $2 ": " $1 " lines" }')" "split it by nouns"
verdict "rules: what a snapshot is made of is policy's own" \
    "$(grep -n 'snapshot_parts\.h' "${files[@]}" | grep -v -e '^libmeshshim/policy/' -e '^tests/check/')" "ask for an accessor in policy/snapshot.h"
executable=$(git ls-files -s | while IFS=$' \t' read -r mode _ _ file; do
    first=$(head -c 2 "$file" 2>/dev/null | tr -d '\0')
    # What has an extension is run by its interpreter (tests/run does).
    [ "$first" = '#!' ] && [ "$mode" = 100644 ] && [[ $file != *.* ]] && echo "$file: starts with #! and is not executable"
    [ "$first" != '#!' ] && [ "$mode" = 100755 ] && echo "$file: is executable and does not start with #!"
done)
verdict "rules: scripts are executable, nothing else is" "$executable" "chmod"
