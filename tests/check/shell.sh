# shellcheck shell=bash
# Shell scripts, by name or by first line, pass shellcheck. Style remarks are left to taste.
. tests/check/say.sh
needs shellcheck shell

mapfile -t files < <(
    {
        tracked '*.sh' '*.bash'
        tracked | grep -v '^tests/fuzz/corpus/' | while read -r file; do
            head -n 1 "$file" | grep -qaE '^#!.*\b(ba|da)?sh\b' && echo "$file"
        done
    } | sort -u
)
# SC2015: `a && b || c` where c may follow a failing b, which is meant. SC2119, SC2030, SC2031: helpers with optional
# arguments, and variables that are to stay in their subshell.
found=$(printf '%s\0' "${files[@]}" | xargs -0 -n 8 -P "$(nproc)" shellcheck -x -P SCRIPTDIR -S info -e SC1091,SC2015,SC2030,SC2031,SC2119 -f gcc)
verdict "shell: ${#files[@]} scripts" "$found" "shellcheck has something to say"
