# shellcheck shell=bash disable=SC2154 # kubernetes.sh sets the names used here
# What tests find in the cluster: two namespaces, each with a claim named storebase on the same folder.
namespaces=(pman-test pman-test-2)
claim=storebase
storebase=$kubernetes_dir/storebase

put_objects() {
    local namespace
    mkdir -p "$storebase"
    for namespace in "${namespaces[@]}"; do
        objects_of "$namespace"
    done | admin apply -f - >/dev/null
    for namespace in "${namespaces[@]}"; do
        wait_for 30 usable "$namespace" || die "namespace $namespace is not ready: $(admin get pvc,serviceaccount -A)"
    done
}

# Bound claims and the service account, without which no pod is made.
usable() {
    admin -n "$1" get serviceaccount default &&
        [ "$(admin -n "$1" get pvc $claim -o 'jsonpath={.status.phase}')" = Bound ]
}

objects_of() {
    cat <<YAML
---
apiVersion: v1
kind: Namespace
metadata: {name: $1}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: $1-$claim}
spec:
  capacity: {storage: 1Ti}
  accessModes: [ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  hostPath: {path: "$storebase", type: Directory}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: $claim, namespace: $1}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: ""
  volumeName: $1-$claim
  resources: {requests: {storage: 1Ti}}
YAML
}

give_objects() {
    give PMAN_K8S_NAMESPACE "${namespaces[0]}"
    give PMAN_K8S_OTHER_NAMESPACE "${namespaces[1]}"
    give PMAN_K8S_CLAIM $claim
    give PMAN_K8S_STOREBASE "$storebase"
    give PMAN_K8S_NODE "$node"
}
