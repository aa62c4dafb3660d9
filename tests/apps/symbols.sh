#!/bin/bash
# What the library exports is symbols.def and nothing else, and it lives beside other programs' OpenSSL.
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# nm wants to read and load what a sanitizer has filled with symbols of its own.
[ "$slow" -eq 1 ] || skip "a sanitizer's build exports more"

library=$B/libmeshshim.so
sed -n 's/^SYM[A-Z_]*([^,]*, *\([A-Za-z0-9_]*\),.*/\1/p' "$top/libmeshshim/base/symbols.def" | sort >"$work/listed"
nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort >"$work/exported"
nm -D --defined-only "$(ldconfig -p | awk '/libc\.so\.6.*x86-64|libc\.so\.6/ { print $NF; exit }')" |
    awk '{ sub(/@.*/, "", $3); print $3 }' | cat - <(sed -n 's/^ *@newer //p' "$top/tests/check/libc_judged.txt" | tr ' ' '\n') |
    sort -u >"$work/libc"

exported_as_listed() {
    [ -s "$work/listed" ] && diff "$work/listed" "$work/exported"
}
all_of_libc() {
    [ -z "$(comm -23 "$work/exported" "$work/libc" | tee /dev/stderr)" ]
}
no_openssl() {
    ! nm -D "$library" | grep -E ' (SSL|EVP|CRYPTO|X509|OPENSSL|BIO|ERR|RSA|EC|ASN1|OSSL)_' &&
        ! readelf -d "$library" | grep -E 'NEEDED.*(libssl|libcrypto)'
}
libc_alone() {
    local extra
    extra=$(readelf -d "$library" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libpthread|libdl|ld-linux-x86-64)\.so')
    [ -z "$extra" ] || { echo "it also needs: $extra"; return 1; }
}
no_tls_segment_of_size() {
    local size
    size=$(readelf -lW "$library" | awk '$1 == "TLS" { print strtonum($6) }')
    [ "${size:-0}" -lt 1024 ] || { echo "thread-local data of $size bytes"; return 1; }
}
beside_node() {
    limit 20 mesh client env LD_BIND_NOW=1 node -e '
        const c = require("crypto");
        if (c.createHash("sha256").update("x").digest("hex").slice(0, 8) !== "2d711642") process.exit(1);
        const { privateKey } = c.generateKeyPairSync("ec", { namedCurve: "P-256" });
        if (!c.sign("sha256", Buffer.from("x"), privateKey).length) process.exit(1);'
}
beside_python() {
    limit 20 mesh client env LD_BIND_NOW=1 "$python" -c '
import hashlib, ssl
assert hashlib.sha256(b"x").hexdigest().startswith("2d711642")
ssl.create_default_context()'
}
does_nothing() {
    [ "$(limit 10 env -u MESHSHIM_CONFIG LD_PRELOAD="$mesh_preload" /bin/echo fine 2>&1)" = fine ]
}

try "symbols: exported is what symbols.def lists" exported_as_listed
try "symbols: each of them is libc's" all_of_libc
try "symbols: none of OpenSSL's, and no OpenSSL needed" no_openssl
try "symbols: libc alone is needed" libc_alone
try "symbols: thread-local data stays under 1 KiB" no_tls_segment_of_size
try "symbols: loads into node, whose OpenSSL works on" beside_node
try "symbols: loads into python3, whose OpenSSL works on" beside_python
try "symbols: loads into a program without a configuration" does_nothing
[ "$failures" -eq 0 ]
