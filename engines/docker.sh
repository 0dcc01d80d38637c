# shellcheck shell=bash disable=SC2154 # lib.sh, sourced before, sets STATE, here and wipe
# engine: docker
# Docker Engine: one that answers is used as it is, else Debian's dockerd is started.
# shellcheck source=engines/image.sh
. "$here/image.sh"

docker_dir=$STATE/docker
docker_socket=unix://${PMAN_DOCKER_SOCKET:-/var/run/docker.sock}

answers() { DOCKER_HOST=$1 timeout 20 docker version --format '{{.Server.Version}}'; }

found() {
    have docker || return 1
    local host
    for host in "${DOCKER_HOST:-}" "$docker_socket"; do
        if [ -n "$host" ] && answers "$host" >/dev/null 2>&1; then
            export DOCKER_HOST=$host
            return 0
        fi
    done
    return 1
}

up() {
    if ! found; then
        # On a machine with systemd the package starts its daemon itself.
        packages docker.io iptables
        have docker || packages docker-cli
        docker compose version >/dev/null 2>&1 || have docker-compose || packages docker-compose
        found || launch
    fi
    say "docker $(answers "$DOCKER_HOST") on $DOCKER_HOST"
    put_images docker
    give DOCKER_HOST "$DOCKER_HOST"
    give_images
}

launch() {
    need_root "starting dockerd"
    mkdir -p "$docker_dir"
    write_config
    # A pid file that a power failure left may name another process by now.
    running "$STATE/run/dockerd.pid" >/dev/null || rm -f "$docker_dir/dockerd.pid"
    # Its data is its own, so that it can be wiped and meets nothing of a packaged daemon.
    start dockerd dockerd --config-file "$docker_dir/daemon.json" --host "$docker_socket" \
        --data-root "$docker_dir/data" --exec-root "$docker_dir/exec" --pidfile "$docker_dir/dockerd.pid"
    wait_for 60 answers "$docker_socket" || fail_start dockerd
    export DOCKER_HOST=$docker_socket
}

write_config() {
    echo '{}' >"$docker_dir/daemon.json"
    may_raise_limits && return
    # Kubernetes asks for negative oom_score_adj, which needs CAP_SYS_RESOURCE.
    packages jq
    install -m 755 "$here/runc-oom-score" "$docker_dir/runc-oom-score"
    cat >"$docker_dir/daemon.json" <<JSON
{"default-runtime": "runc-oom-score", "runtimes": {"runc-oom-score": {"path": "$docker_dir/runc-oom-score"}}}
JSON
}

down() {
    if [ -f "$STATE/run/dockerd.pid" ]; then
        export DOCKER_HOST=$docker_socket
        if running "$STATE/run/dockerd.pid" >/dev/null; then forget_containers; fi
        stop dockerd 30
    else
        say "docker: nothing to stop"
    fi
    wipe "$docker_dir"
}

# Everything in this daemon is left over from tests, since nothing else uses it.
forget_containers() {
    # A time-out, because a daemon that is stuck must still be stopped.
    docker ps -aq | timeout 120 xargs -r docker rm -f -v >/dev/null || true
    docker volume ls -q | timeout 60 xargs -r docker volume rm -f >/dev/null || true
}
