# shellcheck shell=bash
# What the linker made of it: exported names, needed libraries, hardening, and that nothing of ours calls what we wrap.
. tests/check/say.sh
needs nm symbols
needs readelf symbols
library=$B/libmeshshim.so
if [ ! -e "$library" ]; then
    echo "not ok symbols: $library is not built; make"
    exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/meshshim-symbols.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT

sed -n 's/^SYM[A-Z_]*([^,]*, *\([A-Za-z0-9_]*\),.*/\1/p' libmeshshim/base/symbols.def | sort >"$work/listed"
nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort >"$work/exported"
libc=$(${CC:-gcc} -print-file-name=libc.so.6)
nm -D --defined-only "$libc" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u >"$work/libc"

[ -s "$work/listed" ] || echo "not ok symbols: no name read from libmeshshim/base/symbols.def"
verdict "symbols: $(wc -l <"$work/listed") names listed once" "$(uniq -d "$work/listed")" "base/symbols.def repeats these"
verdict "symbols: exported are those of base/symbols.def" \
    "$(comm -3 "$work/listed" "$work/exported" | sed 's/^\t\(.*\)/\1 is exported only/; t; s/$/ is listed only/')" "they differ"
# A name that this libc lacks can stand in the table only for a newer one.
sed -n 's/^ *@newer //p' tests/check/libc_judged.txt | tr ' ' '\n' | sort >"$work/newer"
verdict "symbols: libc has each exported name" "$(comm -13 "$work/libc" "$work/exported" | comm -23 - "$work/newer")" \
    "no program calls these"
verdict "symbols: nothing of OpenSSL is exported" \
    "$(grep -E '^(SSL|TLS|EVP|CRYPTO|OPENSSL|OSSL|BIO|X509|ASN1|RAND|ERR|PEM|EC|RSA)_' "$work/exported")" "hide them"
verdict "symbols: needs libc alone" \
    "$(readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc\.so\.6|ld-linux.*)$')" \
    "these would have to be loaded too"

# A call of ours to a name that we export enters our own hook.
undefined() {
    find "$B/libmeshshim" -name '*.o' | sort | while read -r object; do
        source=${object#"$B"/}
        [ -f "${source%.o}.c" ] || continue # left over from a file that is gone
        source=${source%.o}.c
        # hook_NAME(...) in hook/ enters a hook on purpose: its name to the linker is NAME. So does hook_##name of the table.
        nm -u "$object" | awk -v o="$source" '{ print $2, o }' | while read -r name _; do
            case $source in
            libmeshshim/hook/*) grep -qE "\bhook_($name\(|##name)" "$source" && continue ;;
            esac
            echo "$name $source"
        done
    done
}
undefined >"$work/undefined"
[ -s "$work/undefined" ] || echo "not ok symbols: no objects in $B/libmeshshim"
verdict "symbols: no object calls what is wrapped" \
    "$(awk 'NR == FNR { wrapped[$1]; next } $1 in wrapped { print $2 ": " $1 }' "$work/listed" "$work/undefined")" \
    "call libc.NAME of base/libc.h"

dynamic=$(readelf -dW "$library")
segments=$(readelf -lW "$library")
flags() {
    grep -qE '\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW' <<<"$dynamic" || echo "not bound at start (-z now)"
    grep -q GNU_RELRO <<<"$segments" || echo "relocations stay writable (-z relro)"
    grep -q '(TEXTREL)' <<<"$dynamic" && echo "relocations in code: an object was built without -fPIC"
    grep -qE 'GNU_STACK.* RW ' <<<"$segments" || echo "the stack is executable (-z noexecstack)"
    grep -qE '\((RPATH|RUNPATH)\)' <<<"$dynamic" && echo "carries a search path"
}
verdict "symbols: hardened (now, relro, no text relocations, no executable stack)" "$(flags)" "link it so"

# awk has no hexadecimal numbers, bash has.
tls=$(awk '$1 == "TLS" { print $6 }' <<<"$segments")
over=
[ $((${tls:-0})) -lt 1024 ] || over="$((tls)) bytes"
verdict "symbols: thread-local data under 1 KiB ($((${tls:-0})) bytes)" "$over" "threads with small stacks would not start"
