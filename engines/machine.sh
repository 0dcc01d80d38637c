# shellcheck shell=bash disable=SC2154 # lib.sh, sourced before, sets STATE, here and wipe
# A machine with another Debian suite, in namespaces of its own on this one: a root folder that
# mmdebstrap makes, in which engines/up brings engines up as on any host.  It shares the kernel,
# /tmp and this repository with the host, and reaches no network but the registry.
# The file that sources this one sets machine (a name), suite, engines and programs (packages).
# shellcheck source=engines/namespaces.sh
. "$here/namespaces.sh"
# shellcheck source=engines/image.sh
. "$here/image.sh"

machine_dir=$STATE/$machine
root=$machine_dir/root
network=pman-$machine
repository=$(cd -- "$here/.." && pwd)
machine_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

boot() {
    need_root "making a machine"
    packages mmdebstrap iproute2 procps socat
    make_root
    lend_images
    if ! is_up; then
        shut_down
        launch
    fi
}

# A machine that another copy of the repository has started does not see this one.
is_up() { [ "$here" = "$(cat "$machine_dir/scripts" 2>/dev/null)" ] && on_machine test -e /run/machine-is-up; }

bring_up_engines() { on_machine "$here/up" "${engines[@]}" >&3; }

# Most of a minute, once.  sid moves: engines/down --wipe and then up makes it anew.
make_root() {
    local wanted="$suite: ${programs[*]}"
    [ "$wanted" != "$(cat "$machine_dir/made" 2>/dev/null)" ] || return 0
    shut_down
    say "making Debian $suite with mmdebstrap (log: $machine_dir/root.log)"
    mkdir -p "$machine_dir"
    rm -rf --one-file-system "$root" "$machine_dir/made"
    # The Release file of sid says that it is out of date where a mirror is a few days old.
    mmdebstrap --quiet --mode=root --format=directory --variant=apt \
        --include="tini procps mount kmod iproute2 curl ${programs[*]}" \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$suite" "$root" "$(debian_mirror)" </dev/null >"$machine_dir/root.log" 2>&1 3>&- 9>&- ||
        { tail -n 20 "$machine_dir/root.log" >&2 && die "mmdebstrap failed"; }
    echo "$wanted" >"$machine_dir/made"
}

# The host's own where that is a Debian too.
debian_mirror() {
    if grep -q '^ID=debian$' /etc/os-release; then mirror; else echo http://deb.debian.org/debian; fi
}

# The test images are made once, on the host.
lend_images() {
    make_base
    make_chris
    mkdir -p "$machine_dir/images"
    ln -f "$image_dir"/*-"$recipe.tar" "$machine_dir/images"
}

launch() {
    make_network "$network"
    forward_registry "$network"
    echo "$here" >"$machine_dir/scripts"
    start_apart "$machine" "$network" "$here/machine-init" "$network" "$root" "$machine_dir" "$repository" /tmp
    wait_for 20 is_up || fail_start "$machine"
}

# on_machine COMMAND...: with nothing of this shell's environment but what is named here.
on_machine() {
    local first
    first=$(first_of "$machine") || return 1
    nsenter --target "$first" --mount --uts --net --pid -- \
        env --ignore-environment HOME=/root PATH="$machine_path" \
        PMAN_ENGINES_DIR="$machine_dir" PMAN_DOCKER_SOCKET="$machine_dir/docker.sock" "$@"
}

shut_down() {
    if running "$STATE/run/$machine.pid" >/dev/null; then
        on_machine "$(cat "$machine_dir/scripts")/down" "${engines[@]}" || say "$machine: its engines do not end by themselves"
    fi
    stop_apart "$machine" 5
    drop_network "$network"
    wipe "$machine_dir"
}
