# shellcheck shell=bash disable=SC2154 # lib.sh, sourced before, sets STATE, here and wipe
# engine: podman-rootless
# Podman's service as a user of its own, who has no rights: enough to try it, and on cgroup v1 no limits.
# shellcheck source=engines/image.sh
. "$here/image.sh"

user=pman-rootless
home=$STATE/podman-rootless
socket=unix://$home/run/podman.sock

answers() { timeout 20 podman --url "$socket" version --format '{{.Server.Version}}'; }

up() {
    need_root "starting a service as another user"
    packages podman catatonit runc uidmap
    answers >/dev/null 2>&1 || launch
    say "rootless podman $(answers) on $socket"
    # For image.sh, and for this shell only.
    PMAN_PODMAN_HOST=$socket
    has_image podman $test_image || {
        make_base
        put_image podman $test_image 'ENTRYPOINT ["/bin/false"]' <"$image_dir/base-$recipe.tar"
    }
    give PMAN_PODMAN_ROOTLESS_HOST "$socket"
    give PMAN_TEST_IMAGE $test_image
}

launch() {
    make_user
    mkdir -p "$home/run"
    write_config
    chown "$user:" "$home" "$home/run"
    chmod 700 "$home/run"
    rm -f "${socket#unix://}"
    # On cgroup v1 nothing else keeps a job from taking all memory: this holds for each of its processes.
    start podman-rootless prlimit --data=1073741824 setpriv --reuid "$user" --regid "$user" --init-groups --reset-env \
        env HOME="$home" XDG_RUNTIME_DIR="$home/run" \
        CONTAINERS_CONF="$home/containers.conf" CONTAINERS_STORAGE_CONF="$home/storage.conf" \
        podman system service --time=0 "$socket"
    wait_for 60 answers || fail_start podman-rootless
}

# useradd gives a user also the range of ids that its containers' users are mapped to.
make_user() {
    id "$user" >/dev/null 2>&1 ||
        useradd --no-create-home --home-dir "$home" --shell /usr/sbin/nologin "$user"
    is_ours || die "the user $user exists and was not made by this script"
    grep -q "^$user:" /etc/subuid || usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "$user"
}

is_ours() { [ "$(getent passwd "$user" | cut -d: -f6)" = "$home" ]; }

# Networks need /dev/net/tun, which is root's on some machines: jobs have the network of the host.
write_config() {
    cat >"$home/containers.conf" <<CONF
[containers]
netns = "host"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
# As in podman.sh.
runtime = "runc"
CONF
    # Without a driver the first run may choose vfs, and keeps to it.
    cat >"$home/storage.conf" <<CONF
[storage]
driver = "overlay"
CONF
}

down() {
    if [ -f "$STATE/run/podman-rootless.pid" ]; then
        if running "$STATE/run/podman-rootless.pid" >/dev/null; then
            timeout 120 podman --url "$socket" rm --all --force --time 0 --volumes >/dev/null || true
        fi
        stop podman-rootless
        # Podman leaves a process that holds the user's namespace; what else runs as this user is a job.
        if is_ours; then pkill -KILL -u "$user" || true; fi
    else
        say "podman-rootless: nothing to stop"
    fi
    wipe "$home"
    if [ "$wipe" = yes ] && is_ours; then userdel "$user"; fi
}
