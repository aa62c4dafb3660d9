# shellcheck shell=bash
# Helpers of the checks in bash; all run at the top of the tree.

# verdict WHAT FINDINGS HINT: ok where there are no findings, else not ok with them and what to do about it.
verdict() {
    if [ -z "$2" ]; then
        echo "ok $1"
        return
    fi
    echo "not ok $1: $3"
    sed 's/^/    /' <<<"$2"
}

# Tracked files that are still there, by pattern.
tracked() {
    git ls-files -- "$@" | while read -r file; do
        [ -f "$file" ] && echo "$file"
    done
}

needs() {
    command -v "$1" >/dev/null && return
    echo "not ok $2: $1 is not installed; make deps"
    exit 0
}
