# shellcheck shell=bash disable=SC2154 # kubernetes.sh sets the names used here
# The five daemons of the cluster; all listen on 127.0.0.1 alone.
# shellcheck disable=SC2034 # kubernetes.sh and part use it
parts=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet)
server=https://127.0.0.1:16443
# A name that every machine resolves to itself: the API server asks the kubelet by it for logs.
node=localhost
etcd_url=https://127.0.0.1:16379
etcd_peer_url=https://127.0.0.1:16380
# Nothing serves these addresses, and nothing that a pod sends there leaves the pod.
service_range=127.1.0.0/24
kubelet_port=16250
# The kubelet puts it on every container that it makes.
pod_label=io.kubernetes.docker.type
pause_image=localhost/pman-pause:1

admin() { kubectl --kubeconfig "$own_config" --request-timeout=10s "$@"; }

# start_part NAME: unless it runs.
start_part() {
    running "$STATE/run/$1.pid" >/dev/null || "start_$1"
}

# await_part NAME
await_part() {
    # Not asked again: a kubelet that has just begun may be ready, then not, and ready again.
    { wait_for 180 settled "$1" && running "$STATE/run/$1.pid" >/dev/null; } || fail_start "$1"
}

settled() { "ready_$1" || gone "$STATE/run/$1.pid"; }

start_etcd() {
    # What a crash of the machine might lose is of no value.
    start etcd etcd --name pman-dev --data-dir "$data/etcd" --unsafe-no-fsync \
        --listen-client-urls $etcd_url --advertise-client-urls $etcd_url \
        --listen-peer-urls $etcd_peer_url --initial-advertise-peer-urls $etcd_peer_url \
        --initial-cluster pman-dev=$etcd_peer_url \
        --cert-file "$pki/etcd.crt" --key-file "$pki/etcd.key" \
        --trusted-ca-file "$pki/etcd-ca.crt" --client-cert-auth \
        --peer-cert-file "$pki/etcd.crt" --peer-key-file "$pki/etcd.key" \
        --peer-trusted-ca-file "$pki/etcd-ca.crt" --peer-client-cert-auth
}

ready_etcd() {
    curl -sf -m 5 --cacert "$pki/etcd-ca.crt" --cert "$pki/etcd-client.crt" --key "$pki/etcd-client.key" $etcd_url/health |
        grep -q '"true"'
}

# ServiceAccount and the other usual admission plugins are on by default.
# The tolerations say how long after a node is lost its pods are evicted.
# No endpoints are written for the API server, since an address of loopback is none that pods could use.
start_kube-apiserver() {
    start kube-apiserver "$KUBEBUILDER_ASSETS/kube-apiserver" \
        --bind-address=127.0.0.1 --secure-port="${server##*:}" --advertise-address=127.0.0.1 \
        --endpoint-reconciler-type=none --service-cluster-ip-range=$service_range \
        --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
        --client-ca-file="$pki/ca.crt" --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
        --etcd-servers=$etcd_url --etcd-cafile="$pki/etcd-ca.crt" \
        --etcd-certfile="$pki/etcd-client.crt" --etcd-keyfile="$pki/etcd-client.key" \
        --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=Hostname \
        --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-signing-key-file="$pki/accounts.key" --service-account-key-file="$pki/accounts.pub" \
        --default-not-ready-toleration-seconds=10 --default-unreachable-toleration-seconds=10 \
        --feature-gates=TTLAfterFinished=true --profiling=false
}

ready_kube-apiserver() { admin get --raw /readyz; }

# user_of NAME: the flags with which a part of the control plane speaks to the API server.
user_of() {
    local file=$kubernetes_dir/$1.kubeconfig
    printf '%s\n' --kubeconfig="$file" --authentication-kubeconfig="$file" --authorization-kubeconfig="$file" \
        --kube-api-qps=200 --kube-api-burst=400 --leader-elect=false --profiling=false \
        --bind-address=127.0.0.1 --port=0
}

start_kube-controller-manager() {
    local flags
    mapfile -t flags < <(user_of kube-controller-manager)
    start kube-controller-manager "$KUBEBUILDER_ASSETS/kube-controller-manager" "${flags[@]}" \
        --secure-port=16257 --cert-dir="$data/kube-controller-manager" \
        --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$pki/ca.crt" \
        --use-service-account-credentials --feature-gates=TTLAfterFinished=true \
        --node-monitor-period=2s --node-monitor-grace-period=20s --pvclaimbinder-sync-period=1s
}

ready_kube-controller-manager() { healthy_on 16257; }

start_kube-scheduler() {
    local flags
    mapfile -t flags < <(user_of kube-scheduler)
    start kube-scheduler "$KUBEBUILDER_ASSETS/kube-scheduler" "${flags[@]}" \
        --secure-port=16259 --cert-dir="$data/kube-scheduler"
}

ready_kube-scheduler() { healthy_on 16259; }

# These two make a certificate for themselves alone at each start, so it cannot be verified.
healthy_on() { [ "$(curl -sk -m 5 "https://127.0.0.1:$1/healthz")" = ok ]; }

start_kubelet() {
    write_kubelet_config
    start kubelet "$KUBEBUILDER_ASSETS/kubelet" --config="$kubernetes_dir/kubelet.yaml" \
        --kubeconfig="$kubernetes_dir/kubelet.kubeconfig" --hostname-override=$node \
        --root-dir="$data/kubelet" --volume-plugin-dir="$data/kubelet/volume-plugins" \
        --container-runtime=docker --docker-endpoint="$DOCKER_HOST" --pod-infra-container-image=$pause_image \
        --experimental-dockershim-root-directory="$data/dockershim" \
        --container-runtime-endpoint="unix://$data/dockershim.sock"
}

# Only the API server's certificate opens the kubelet.  Images are never collected: the dockerd is not
# the kubelet's alone.  Rates are unlimited, since tests come in crowds; a lease of 8 s is renewed every 2 s.
write_kubelet_config() {
    cat >"$kubernetes_dir/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
# On since 1.22: without it the size of a volume in memory, and so of /dev/shm, is not in force.
featureGates: {SizeMemoryBackedVolumes: true}
address: 127.0.0.1
port: $kubelet_port
readOnlyPort: 0
healthzPort: 0
tlsCertFile: $pki/kubelet-server.crt
tlsPrivateKeyFile: $pki/kubelet-server.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: $(docker info --format '{{.CgroupDriver}}')
enforceNodeAllocatable: []
failSwapOn: false
makeIPTablesUtilChains: false
evictionHard: {memory.available: 100Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%}
imageGCHighThresholdPercent: 100
serializeImagePulls: false
maxPods: 250
podPidsLimit: 2048
kubeAPIQPS: 200
kubeAPIBurst: 400
eventRecordQPS: 0
nodeLeaseDurationSeconds: 8
nodeStatusUpdateFrequency: 5s
YAML
}

ready_kubelet() {
    [ "$(curl -sf -m 5 --cacert "$pki/ca.crt" --cert "$pki/kubelet-client.crt" --key "$pki/kubelet-client.key" \
        "https://$node:$kubelet_port/healthz")" = ok ] &&
        admin wait --for=condition=Ready --timeout=1s "node/$node"
}

# The container that holds a pod's namespaces: it must only be there, and end at once on a signal.
put_pause_image() {
    local made sleeper='ENTRYPOINT ["sh", "-c", "trap exit TERM; sleep infinity & wait"]'
    ! docker image inspect $pause_image >/dev/null 2>&1 || return 0
    # shellcheck disable=SC2154 # docker.sh gave it
    made=$(docker create "$PMAN_TEST_IMAGE")
    docker commit --change "$sleeper" "$made" $pause_image >/dev/null || { docker rm "$made" && die "no $pause_image"; }
    docker rm "$made" >/dev/null
}

# A kubelet ends every pod that it does not know, so two must not share a dockerd.
alone_in_docker() {
    local image
    for image in $(docker ps -a --filter "label=$pod_label=podsandbox" --format '{{.Image}}'); do
        [ "$image" = $pause_image ] || die "the dockerd on $DOCKER_HOST already serves another Kubernetes"
    done
}
