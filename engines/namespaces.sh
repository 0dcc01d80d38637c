# shellcheck shell=bash disable=SC2154 # lib.sh, sourced before, sets STATE
# For engines that run in namespaces of their own beside those of the host: swarm.sh, machine.sh.

# make_network NAME: a network namespace that has a name, so that tests can enter it.
make_network() {
    [ -e "/run/netns/$1" ] || ip netns add "$1"
    ip -n "$1" link set lo up
}

# What is a process's own besides its network.  With --pid all that it started dies with it.
apart=(--uts --mount --propagation slave --pid --mount-proc)

# start_apart NAME NETWORK COMMAND...: like start; the command is the first process in there.
start_apart() {
    # No `ip netns exec`: it mounts a new /sys, without the cgroups.
    start "$1" nsenter --net="/run/netns/$2" unshare "${apart[@]}" --kill-child "${@:3}"
}

# first_of NAME: the first process that start_apart started, as the host knows it.
first_of() {
    local pid
    pid=$(running "$STATE/run/$1.pid") && pgrep -P "$pid"
}

# stop_apart NAME SECONDS: ends its first process, which has some time to end the others itself.
stop_apart() {
    local first
    if first=$(first_of "$1"); then
        say "stopping $1"
        kill "$first" 2>/dev/null || true
        wait_for "$2" gone "$STATE/run/$1.pid" || say "$1 does not end by itself"
    fi
    stop "$1" 1
}

# forward_registry NETWORK: the registry of `engines/up registry`, under the same name inside.
forward_registry() {
    local port=${PMAN_REGISTRY_PORT:-15000} socket=$STATE/run/$1-registry.sock
    running "$STATE/run/$1-registry-out.pid" >/dev/null ||
        start "$1-registry-out" socat "UNIX-LISTEN:$socket,fork,unlink-early" "TCP:127.0.0.1:$port"
    running "$STATE/run/$1-registry-in.pid" >/dev/null ||
        start "$1-registry-in" nsenter --net="/run/netns/$1" \
            socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "UNIX-CONNECT:$socket"
}

# drop_network NAME: with the way to the registry.
drop_network() {
    stop "$1-registry-in"
    stop "$1-registry-out"
    rm -f "$STATE/run/$1-registry.sock"
    [ ! -e "/run/netns/$1" ] || ip netns delete "$1"
}
