#!/bin/bash
# A disk that is full, a runtime directory that is not there, limits of descriptors, memory, locked memory and file sizes: programs carry on or
# get an errno, are never ended by it, and say nothing in the clear.
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
case $(basename "$B") in asan | tsan) skip "the sanitizers need memory of their own" ;; esac
# shellcheck source=tests/faults/common.bash
. "$(dirname "$0")/common.bash"
make_impatient_mesh 2s

# directory WORKLOAD DIRECTORY: its runtime directory from here on.
directory() {
    sed -i "s#^runtime_dir .*#runtime_dir = $2#" "$work/$1.ini"
}

# outcome [PREFIX…]: what becomes of a client, in $status; what it says is in $work/client.log.
outcome() {
    timeout 100 "$@" env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/client.ini" "$subject" client "$port" >"$work/client.log" 2>&1
    status=$?
}

# works NAME [PREFIX…]; survives NAME [PREFIX…]: it may be refused, by an errno, and even by the loader.
works() {
    local name=$1
    shift
    outcome "$@"
    [ "$status" -eq 0 ] && ok "limits: $name" && return
    not_ok "limits: $name: status $status"
    tell_logs
}
survives() {
    local name=$1
    shift
    outcome "$@"
    case $status in
    0 | 4 | 125 | 127 | 1) return 0 ;;
    *)
        not_ok "limits: $name: status $status"
        tell_logs
        return 1
        ;;
    esac
}

# ---- the runtime directory ----
serve
directory client "$work/run/none/such"
works "a runtime directory that cannot be made"
: >"$work/file"
directory client "$work/file"
works "a runtime directory that is a file"
directory client /proc/self
works "a runtime directory where nothing can be made"
directory client "$work/run"
works "a runtime directory, before it goes"
rm -rf "$work/run"
works "a runtime directory that is removed while programs run"
quiet || not_ok "limits: the server whose runtime directory was removed ends well"
mkdir -p "$work/run"

# ---- the disk ----
if unshare -rm true 2>/dev/null; then
    mkdir -p "$work/disk"
    cat >"$work/on_disk" <<'SH'
#!/bin/bash
# on_disk DIRECTORY SIZE COMMAND…: with so small a disk there.
mount -t tmpfs -o size="$2" none "$1" || exit 99
[ "$2" = 4k ] && head -c 4096 /dev/zero >"$1/full"
shift 2
exec "$@"
SH
    chmod +x "$work/on_disk"
    serve
    directory client "$work/disk/run"
    for size in 4k 16k 64k 256k; do
        works "a disk of $size for the counters" unshare -rm "$work/on_disk" "$work/disk" "$size"
    done
    export MESHSHIM_LOG=debug MESHSHIM_LOG_FILE=$work/disk/log
    works "a disk of 4k for the log" unshare -rm "$work/on_disk" "$work/disk" 4k
    unset MESHSHIM_LOG MESHSHIM_LOG_FILE
    quiet
    directory server "$work/disk/run"
    directory client "$work/run"
    serve unshare -rm "$work/on_disk" "$work/disk" 16k
    works "a disk of 16k for the server's counters"
    quiet || not_ok "limits: the server on a full disk ends well"
    directory server "$work/run"
else
    echo "skip limits: a full disk: no name space for a small one"
fi

# ---- the process ----
serve
works "no locked memory" prlimit --memlock=0
survives "files of 100 kB at most" prlimit --fsize=100000 && ok "limits: files of 100 kB at most"
works "a soft limit of 16 descriptors" prlimit --nofile=16:4096
bad=0
for n in 3 4 5 6 7 8 10 14; do
    survives "a hard limit of $n descriptors" prlimit --nofile="$n:$n" || bad=1
    survives "a soft limit of $n descriptors" prlimit --nofile="$n:4096" || bad=1
done
[ "$bad" -eq 0 ] && ok "limits: few descriptors"
works "afterwards"
bad=0
for megabytes in 2 8 12 14 16 18 20 22 24 26 28 32 40 64 128; do
    survives "$megabytes MB of address space" prlimit --as=$((megabytes << 20)) || bad=1
done
[ "$bad" -eq 0 ] && ok "limits: little address space"
bad=0
for kilobytes in 64 256 384 512 640 768 896 1024 1280 1536 2048 4096; do
    survives "$kilobytes kB of data" prlimit --data=$((kilobytes << 10)) || bad=1
done
[ "$bad" -eq 0 ] && ok "limits: little data"
works "afterwards, again"
if quiet && ! grep -q 'not TLS' "$work/server.log"; then
    ok "limits: the server that saw all this ends well, and has got nothing in the clear"
else
    not_ok "limits: the server that saw all this ends well, and has got nothing in the clear"
    tail -n 20 "$work/server.log" | cut -c1-200 | sed 's/^/# /'
fi
[ "$failures" -eq 0 ]
