# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # names that this and those who source it give each other
# A Linux of its own for a test: Debian's cloud kernel in qemu, its root a small initramfs in memory. Source lib.sh first.
#
#   guest_begin || skip "$guest_reason"
#   guest_add /usr/bin/diff "$meshctl"         # files under their own names, programs with the libraries they need
#   guest_modules tls aesni-intel              # loaded before the job
#   guest_run 180 <<'JOB'                      # bash, as root; what it prints goes to $work/guest.log
#   uname -r
#   JOB
#
# With KVM where this machine allows it, else emulated, which is some ten times slower: $guest_slow says how much.

guest_dir=$top/tests/guest

guest_begin() {
    local tool
    guest_root=$work/root
    for tool in qemu-system-x86_64 busybox cpio gzip; do
        command -v $tool >/dev/null || { guest_reason="$tool is not installed: make deps"; return 1; }
    done
    guest_kernel=$("$guest_dir/kernel" 2>"$work/kernel.why") || { guest_reason=$(cat "$work/kernel.why"); return 1; }
    guest_release=$(basename "$(dirname "$(find "$guest_kernel" -name modules.builtin | head -n 1)")")
    guest_choose_accel
    mkdir -p "$guest_root"/{bin,etc,tmp,sbin,lib64,usr/lib,usr/bin} || return 1
    : >"$guest_root/modules"
    cp "$guest_dir/init" "$guest_root/init"
    cp "$(command -v busybox)" "$guest_root/bin/busybox"
    echo 'root:x:0:0:root:/:/bin/sh' >"$guest_root/etc/passwd"
    echo '127.0.0.1 localhost' >"$guest_root/etc/hosts"
    guest_add "$(command -v bash)"
}

# /dev/kvm is not enough: some machines have it without the right to it, or for guests of another kind.
guest_choose_accel() {
    guest_accel=tcg guest_slow=8
    if [ "${GUEST_ACCEL:-kvm}" = kvm ] && grep -qE '^flags.* (vmx|svm) ' /proc/cpuinfo &&
        timeout 10 qemu-system-x86_64 -accel kvm -M none -display none -monitor stdio <<<quit >/dev/null 2>&1; then
        guest_accel=kvm guest_slow=1
    fi
}

guest_copy() {
    local to=$guest_root$1
    [ -e "$to" ] && return
    mkdir -p "$(dirname "$to")" && cp -L "$1" "$to"
}

# Files keep their names; /bin and /usr/bin are one place in Debian, and are made so here.
guest_add() {
    local file library
    for file in "$@"; do
        file=$(realpath "$file") || return 1
        guest_copy "$file"
        [[ $file == /usr/bin/* ]] && ln -sf "$file" "$guest_root/bin/"
        ldd "$file" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
            guest_copy "$library"
        done
    done
}

# As guest_add, for whole directories.
guest_add_tree() {
    local file
    find "$1" -type f -print0 | while read -r -d '' file; do
        guest_copy "$file"
    done
}

guest_module_file() {
    find "$guest_kernel" -name "$1.ko" -o -name "$1.ko.xz" -o -name "$1.ko.zst" | head -n 1
}

# guest_add_python MODULE…: Debian's Python with these modules of its library, and what they load.
guest_add_python() {
    local python file
    python=$(realpath /usr/bin/python3) || return 1
    guest_add "$python"
    ln -sf "$python" "$guest_root/usr/bin/python3"
    while read -r file; do
        guest_add "$file"
    done < <("$python" -I -S -c "import importlib, sys
for name in sys.argv[1:]: importlib.import_module(name)
for module in list(sys.modules.values()):
    if getattr(module, '__file__', None): print(module.__file__)" "$@" | sort -u)
}

# What a module needs, by what it says itself; those that the kernel has built in are passed over.
guest_modules() {
    local name file into=$guest_root/lib/modules/$guest_release
    mkdir -p "$into"
    for name in "$@"; do
        file=$(guest_module_file "$name")
        [ -n "$file" ] || file=$(guest_module_file "${name//_/-}")
        [ -n "$file" ] || continue
        [ -e "$into/$name.ko" ] && continue
        case $file in
        *.xz) xz -dc "$file" ;;
        *.zst) zstd -dc "$file" ;;
        *) cat "$file" ;;
        esac >"$into/$name.ko"
        # shellcheck disable=SC2046 # a list of names
        guest_modules $(tr '\0' '\n' <"$into/$name.ko" | sed -n 's/^depends=//p' | tr ',' ' ')
        echo "$name" >>"$guest_root/modules"
    done
}

guest_qemu() {
    local seconds=$1 cpu=max
    [ "$guest_accel" = kvm ] && cpu=host,arch-capabilities=off
    : >"$work/guest.log"
    timeout -k 5 "$seconds" qemu-system-x86_64 -accel "$guest_accel" -cpu "$cpu" -m 768 -smp 2 -display none -no-reboot -nodefaults \
        -kernel "$(find "$guest_kernel" -name 'vmlinuz*' -type f | head -n 1)" -initrd "$work/initrd" \
        -append 'console=ttyS0 panic=-1 quiet' -serial "file:$work/console.log" -serial "file:$work/guest.log" </dev/null
}

guest_is_up() {
    grep -q '^guest: up' "$work/guest.log" || not_running "$1"
}

# guest_run SECONDS: standard input is the job. Its output is in $work/guest.log; fails where the guest did not come to its end.
guest_run() {
    local pid
    cat >"$guest_root/job"
    chmod +x "$guest_root/init"
    (cd "$guest_root" && busybox depmod -b . "$guest_release" 2>/dev/null
     find . | cpio --quiet -o -H newc | gzip -1) >"$work/initrd" || return 1
    if [ "$guest_accel" = kvm ]; then # it may promise what it cannot keep
        guest_qemu "$1" 2>"$work/kvm.log" &
        pid=$!
        pids+=("$pid")
        wait_until 30 guest_is_up "$pid"
        grep -q '^guest: up' "$work/guest.log" || { kill "$pid" 2>/dev/null; guest_accel=tcg guest_slow=8; }
        wait "$pid"
    fi
    [ "$guest_accel" = kvm ] || guest_qemu "$1"
    grep -q '^guest: the job ended' "$work/guest.log"
}
