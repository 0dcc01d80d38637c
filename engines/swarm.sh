# shellcheck shell=bash disable=SC2154 # lib.sh, sourced before, sets STATE, here and wipe
# engine: swarm
# Docker Swarm: a manager and a worker, each a dockerd in namespaces of its own, joined by one cable.
# The main dockerd and the host's firewall never meet them; neither node reaches any other machine.
# Test a power failure with kill -9 on $STATE/run/swarm-worker.pid, a cut cable with
# `ip -n pman-worker link set eth0 down`; `engines/up swarm` repairs both.
# shellcheck source=engines/image.sh
. "$here/image.sh"
# shellcheck source=engines/namespaces.sh
. "$here/namespaces.sh"

swarm_dir=$STATE/swarm
nodes=(manager worker)
declare -A address=([manager]=198.18.7.1 [worker]=198.18.7.2)
declare -A role=([manager]=first [worker]=second)
# Names that stand for GPUs: the scheduler hands them out as it does real ones.
declare -A gpus=([manager]='"pman-gpu=card-0", "pman-gpu=card-1"' [worker]='"pman-gpu=card-2"')

socket() { echo "unix://$swarm_dir/$1.sock"; }

# on NODE ARGUMENT...: the Docker client of that node.
on() { DOCKER_HOST=$(socket "$1") timeout 60 docker "${@:2}"; }

manages() { [ "$(DOCKER_HOST=$1 timeout 20 docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null)" = true ]; }

up() {
    local host
    if [ -n "${PMAN_SWARM_HOST:-}" ] && [ "$PMAN_SWARM_HOST" != "$(socket manager)" ]; then
        manages "$PMAN_SWARM_HOST" || die "PMAN_SWARM_HOST=$PMAN_SWARM_HOST is no swarm manager that answers"
    else
        launch
        PMAN_SWARM_HOST=$(socket manager)
        PMAN_SWARM_WORKER_HOST=$(socket worker)
    fi
    for host in "$PMAN_SWARM_HOST" ${PMAN_SWARM_WORKER_HOST:+"$PMAN_SWARM_WORKER_HOST"}; do
        DOCKER_HOST=$host put_images docker
    done
    say "swarm on $PMAN_SWARM_HOST"
    give PMAN_SWARM_HOST "$PMAN_SWARM_HOST"
    [ -z "${PMAN_SWARM_WORKER_HOST:-}" ] || give PMAN_SWARM_WORKER_HOST "$PMAN_SWARM_WORKER_HOST"
    give_images
}

launch() {
    local node
    need_root "starting a swarm"
    packages docker.io iptables iproute2 procps socat
    have docker || packages docker-cli
    mkdir -p "$swarm_dir"
    lay_cable
    for node in "${nodes[@]}"; do
        running "$STATE/run/swarm-$node.pid" >/dev/null || launch_node "$node"
    done
    for node in "${nodes[@]}"; do
        wait_for 60 on "$node" version || fail_start "swarm-$node"
    done
    form_swarm
}

# Network namespaces that have names, so that tests can cut the cable.
lay_cable() {
    local node
    for node in "${nodes[@]}"; do
        make_network "pman-$node"
        forward_registry "pman-$node"
    done
    ip -n pman-manager link show eth0 >/dev/null 2>&1 ||
        ip link add eth0 netns pman-manager type veth peer name eth0 netns pman-worker
    for node in "${nodes[@]}"; do
        ip -n "pman-$node" address replace "${address[$node]}/24" dev eth0
        ip -n "pman-$node" link set eth0 up
    done
}

launch_node() {
    write_config "$1"
    start_apart "swarm-$1" "pman-$1" "$here/swarm-node" "$swarm_dir/$1" "$swarm_dir/$1.json"
}

# The driver for cgroups that needs no systemd, whose sockets a node does not see.
write_config() {
    local runtime=runc path=runc
    if ! may_raise_limits; then
        # As in docker.sh: without CAP_SYS_RESOURCE no process may lower an oom_score_adj.
        packages jq
        runtime=runc-oom-score path=$swarm_dir/runc-oom-score
        install -m 755 "$here/runc-oom-score" "$path"
    fi
    cat >"$swarm_dir/$1.json" <<JSON
{"exec-opts": ["native.cgroupdriver=cgroupfs"], "storage-driver": "overlay2",
 "node-generic-resources": [${gpus[$1]}],
 "default-runtime": "$runtime"$([ $runtime = runc ] || echo ", \"runtimes\": {\"$runtime\": {\"path\": \"$path\"}}")}
JSON
}

# Also after a test that drained, removed or relabelled a node.
form_swarm() {
    local node
    [ "$(swarm_state manager)" != inactive ] ||
        on manager swarm init --advertise-addr "${address[manager]}" >/dev/null
    wait_for 60 manages "$(socket manager)" || die "the swarm has no manager: see $STATE/run/swarm-manager.log"
    is_member || join
    wait_for 60 all_ready || die "a node of the swarm is not ready: see \`docker node ls\`, or start anew with engines/down --wipe swarm"
    for node in "${nodes[@]}"; do
        on manager node update --availability active --label-add "pman.role=${role[$node]}" "$(node_id "$node")" >/dev/null
    done
}

swarm_state() { on "$1" info --format '{{.Swarm.LocalNodeState}}'; }

node_id() { on "$1" info --format '{{.Swarm.NodeID}}'; }

# is_member: whether the worker is in the manager's swarm, not in one that was wiped or left.
is_member() {
    [ "$(swarm_state worker)" != inactive ] && on manager node inspect "$(node_id worker)" >/dev/null 2>&1
}

join() {
    local token
    wait_for 60 leave || die "the worker does not leave its swarm: see $STATE/run/swarm-worker.log"
    token=$(on manager swarm join-token --quiet worker)
    # The client gives up after 20 s, while the worker goes on trying.
    on worker swarm join --token "$token" "${address[manager]}:2377" >/dev/null || wait_for 60 is_member ||
        die "the worker does not join the swarm: see $STATE/run/swarm-worker.log"
}

# leave: whether the worker is in no swarm any more; where its time was too short, asking again helps.
leave() { [ "$(swarm_state worker)" = inactive ] || on worker swarm leave --force; }

all_ready() {
    local node
    for node in "${nodes[@]}"; do
        [ "$(on manager node inspect --format '{{.Status.State}}' "$(node_id "$node")")" = ready ] || return 1
    done
}

down() {
    local node
    # While the manager still runs, since a worker cannot forget services.
    if running "$STATE/run/swarm-manager.pid" >/dev/null; then forget_services; fi
    for node in worker manager; do
        # dockerd ends by itself if it can; what is left on the node then ends with its namespace.
        stop_apart "swarm-$node" 30
        drop_network "pman-$node"
    done
    wipe "$swarm_dir"
}

# Everything in this swarm is left over from tests, since nothing else uses it.
forget_services() {
    on manager service ls -q | timeout 60 xargs -r env DOCKER_HOST="$(socket manager)" docker service rm >/dev/null || true
}
