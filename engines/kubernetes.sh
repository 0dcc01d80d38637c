# shellcheck shell=bash disable=SC2154,SC2031 # lib.sh sets STATE, here and wipe; start_docker sets DOCKER_HOST
# engine: kubernetes
# Kubernetes: the cluster that KUBECONFIG names is used as it is, else a cluster of one node is started
# from the binaries in KUBEBUILDER_ASSETS or in the archive PMAN_KUBERNETES_ARCHIVE, with the dockerd of `engines/up docker` as its runtime.
kubernetes_dir=$STATE/kubernetes
# What the parts keep: it lasts until down.
data=$kubernetes_dir/data
own_config=$kubernetes_dir/admin.kubeconfig
# shellcheck source=engines/kubernetes/certificates.sh
. "$here/kubernetes/certificates.sh"
# shellcheck source=engines/kubernetes/parts.sh
. "$here/kubernetes/parts.sh"
# shellcheck source=engines/kubernetes/objects.sh
. "$here/kubernetes/objects.sh"

up() {
    if [ "${KUBECONFIG:-$own_config}" != "$own_config" ]; then
        use_existing
        return
    fi
    find_binaries
    need_root "starting Kubernetes"
    start_docker
    launch
    put_objects
    say "kubernetes $(admin get --raw /version | sed -n 's/.*"gitVersion": "\(.*\)".*/\1/p') on $server, node $node"
    give KUBECONFIG "$own_config"
    give_objects
    give PMAN_K8S_PART "$here/kubernetes/part"
}

# A cluster that is not ours: only its address is known.  ~/.kube/config is not looked at,
# for it may be a cluster that is not for tests.
use_existing() {
    have kubectl || packages kubernetes-client
    kubectl --request-timeout=20s get --raw /readyz >/dev/null ||
        die "the cluster of KUBECONFIG=$KUBECONFIG does not answer: mend or unset it"
    say "kubernetes of KUBECONFIG=$KUBECONFIG is used as it is"
    give KUBECONFIG "$KUBECONFIG"
}

# Which binaries and which dockerd the parts run with is kept for `part` and for down.
find_binaries() {
    local name
    if [ -z "${KUBEBUILDER_ASSETS:-}" ] && [ -f "$kubernetes_dir/settings" ]; then
        read_settings
    fi
    if [ -z "${KUBEBUILDER_ASSETS:-}" ] && [ -n "${PMAN_KUBERNETES_ARCHIVE:-}" ]; then
        unpack
    fi
    for name in kube-apiserver kube-controller-manager kube-scheduler kubelet; do
        [ -x "${KUBEBUILDER_ASSETS:-}/$name" ] || die "no Kubernetes: set KUBECONFIG to a cluster of yours (one" \
            "command makes one: 'kind create cluster' or 'k3d cluster create'), or KUBEBUILDER_ASSETS to a folder or" \
            "PMAN_KUBERNETES_ARCHIVE to an archive that holds kube-apiserver, kube-controller-manager, kube-scheduler" \
            "and kubelet (there is no $name in '${KUBEBUILDER_ASSETS:-}')"
    done
    PATH=$KUBEBUILDER_ASSETS:$PATH
    have etcd || packages etcd-server
    have kubectl || packages kubernetes-client
    packages openssl curl procps
}

# Each archive once: its name is that of the folder.
unpack() {
    [ -f "$PMAN_KUBERNETES_ARCHIVE" ] || die "PMAN_KUBERNETES_ARCHIVE: there is no file '$PMAN_KUBERNETES_ARCHIVE'"
    KUBEBUILDER_ASSETS=$STATE/kubernetes-binaries/$(basename "$PMAN_KUBERNETES_ARCHIVE")
    [ ! -d "$KUBEBUILDER_ASSETS" ] || return 0
    packages xz-utils
    say "unpacking $PMAN_KUBERNETES_ARCHIVE"
    rm -rf "$KUBEBUILDER_ASSETS.part"
    mkdir -p "$KUBEBUILDER_ASSETS.part"
    tar -xf "$PMAN_KUBERNETES_ARCHIVE" -C "$KUBEBUILDER_ASSETS.part"
    mv "$KUBEBUILDER_ASSETS.part" "$KUBEBUILDER_ASSETS"
}

# What that script exports serves our caller too.
start_docker() {
    local exports
    exports=$(
        set -e
        # shellcheck source=engines/docker.sh
        . "$here/docker.sh"
        up 3>&1 1>&2
    )
    eval "$exports"
    printf '%s\n' "$exports" >&3
    [[ $DOCKER_HOST == unix://* ]] || die "the kubelet needs the dockerd of this machine, not $DOCKER_HOST"
}

read_settings() {
    # shellcheck source=/dev/null
    . "$kubernetes_dir/settings"
    export DOCKER_HOST
}

launch() {
    local name
    install -d -m 700 "$kubernetes_dir" "$data"
    printf '%s=%q\n' KUBEBUILDER_ASSETS "$(realpath "$KUBEBUILDER_ASSETS")" DOCKER_HOST "$DOCKER_HOST" \
        >"$kubernetes_dir/settings"
    make_certificates
    put_pause_image
    running "$STATE/run/kubelet.pid" >/dev/null || alone_in_docker
    keep_sysctls
    # Each of the first two needs the one before, the others only these.
    for name in "${parts[@]}"; do
        start_part "$name"
        [[ $name != etcd && $name != kube-apiserver ]] || await_part "$name"
    done
    for name in "${parts[@]}"; do
        await_part "$name"
    done
}

down() {
    local name
    if [ ! -f "$kubernetes_dir/settings" ]; then
        say "kubernetes: nothing to stop"
        return
    fi
    read_settings
    for name in kubelet kube-scheduler kube-controller-manager kube-apiserver etcd; do
        stop "$name" 10
    done
    forget_pods
    restore_sysctls
    rm "$kubernetes_dir/settings"
    wipe "$kubernetes_dir"
}

# As with the containers of the other engines, jobs do not outlive the engine.
forget_pods() {
    # The dockerd may have been stopped before; a time-out, because one that is stuck must not stop us.
    docker ps -aq --filter "label=$pod_label" | timeout 120 xargs -r docker rm -f -v >/dev/null ||
        say "dockerd on $DOCKER_HOST does not answer: containers of pods may be left there"
    wipe=yes wipe "$data"
    # The kubelet's folders of logs are fixed: what is left there now are links to nothing.
    find -L /var/log/containers /var/log/pods -type l -delete 2>/dev/null || true
    find /var/log/pods -mindepth 1 -type d -empty -delete 2>/dev/null || true
    find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + 2>/dev/null || true
}

# The kubelet sets these for the whole machine.
sysctls=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
    kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

keep_sysctls() {
    [ -f "$kubernetes_dir/sysctls" ] || sysctl -e "${sysctls[@]}" >"$kubernetes_dir/sysctls"
}

restore_sysctls() {
    [ ! -f "$kubernetes_dir/sysctls" ] || sysctl -q -e -p "$kubernetes_dir/sysctls" ||
        say "kernel settings could not be set back: see $kubernetes_dir/sysctls"
    rm -f "$kubernetes_dir/sysctls"
}
