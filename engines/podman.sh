# shellcheck shell=bash disable=SC2154 # lib.sh, sourced before, sets STATE, here and wipe
# engine: podman
# Podman's Docker-compatible service, as root: one that answers is used, else Debian's is started.
# shellcheck source=engines/image.sh
. "$here/image.sh"

podman_dir=$STATE/podman

answers() { timeout 20 podman --url "$1" version --format '{{.Server.Version}}'; }

found() {
    have podman || return 1
    local host
    for host in "${PMAN_PODMAN_HOST:-}" "unix://$podman_dir/podman.sock" unix:///run/podman/podman.sock; do
        if [ -n "$host" ] && answers "$host" >/dev/null 2>&1; then
            PMAN_PODMAN_HOST=$host
            return 0
        fi
    done
    return 1
}

up() {
    if ! found; then
        packages podman catatonit runc iptables
        # What joins containers to networks: Podman before 4 knows the plugins only.
        [ -x /usr/lib/podman/netavark ] || packages containernetworking-plugins
        found || launch
    fi
    export PMAN_PODMAN_HOST
    say "podman $(answers "$PMAN_PODMAN_HOST") on $PMAN_PODMAN_HOST"
    put_images podman
    give PMAN_PODMAN_HOST "$PMAN_PODMAN_HOST"
    give_images
}

launch() {
    need_root "starting the Podman service"
    mkdir -p "$podman_dir"
    write_config
    rm -f "$podman_dir/podman.sock"
    start podman env CONTAINERS_CONF="$podman_dir/containers.conf" \
        CONTAINERS_STORAGE_CONF="$podman_dir/storage.conf" \
        CONTAINERS_REGISTRIES_CONF="$podman_dir/registries.conf" \
        podman system service --time=0 "unix://$podman_dir/podman.sock"
    wait_for 60 answers "unix://$podman_dir/podman.sock" || fail_start podman
    PMAN_PODMAN_HOST=unix://$podman_dir/podman.sock
}

write_config() {
    cat >"$podman_dir/containers.conf" <<CONF
[containers]
$(may_raise_limits || lower_limits)
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
# crun of Debian 12 fails where cgroup v1 and v2 are mounted side by side.
runtime = "runc"
[network]
network_config_dir = "$podman_dir/networks"
CONF
    cat >"$podman_dir/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$podman_dir/storage"
runroot = "$podman_dir/run"
CONF
    # "localhost" stands for every port there: the registry of engines/up registry speaks plain HTTP.
    cat >"$podman_dir/registries.conf" <<CONF
[[registry]]
prefix = "localhost"
location = "localhost"
insecure = true
CONF
}

# Podman asks for more files and processes than it may without CAP_SYS_RESOURCE, and lowers its own
# hard limit of processes to pid_max.
lower_limits() {
    local files processes most
    files=$(ulimit -Hn) processes=$(ulimit -Hu) most=$(cat /proc/sys/kernel/pid_max)
    [ "$files" != unlimited ] || files=1048576
    [ "$processes" != unlimited ] && [ "$processes" -lt "$most" ] || processes=$most
    echo "default_ulimits = [\"nofile=$files:$files\", \"nproc=$processes:$processes\"]"
}

down() {
    if [ -f "$STATE/run/podman.pid" ]; then
        if running "$STATE/run/podman.pid" >/dev/null; then forget_containers; fi
        stop podman
    else
        say "podman: nothing to stop"
    fi
    wipe "$podman_dir"
}

forget_containers() {
    local url=unix://$podman_dir/podman.sock
    # A time-out, because a service that is stuck must still be stopped.
    timeout 120 podman --url "$url" rm --all --force --time 0 --volumes >/dev/null || true
    timeout 60 podman --url "$url" volume rm --all --force >/dev/null || true
}
