# shellcheck shell=bash disable=SC2154 # kubernetes.sh sets the names used here
# Who may talk to whom: two authorities of our own and one certificate for each side of each connection.
pki=$kubernetes_dir/pki

# Once; an interrupted run leaves nothing that a later one would trust.
make_certificates() {
    [ ! -d "$pki" ] || return 0
    say "making certificates"
    rm -rf "$pki.part"
    mkdir "$pki.part"
    (
        cd "$pki.part"
        authority ca
        # An own authority, so that no client of the cluster is a client of etcd.
        authority etcd-ca
        certificate etcd-ca etcd / "$for_server,clientAuth" IP:127.0.0.1,DNS:localhost
        certificate etcd-ca etcd-client /CN=kube-apiserver "$for_client"
        certificate ca apiserver /CN=kube-apiserver "$for_server" \
            IP:127.0.0.1,IP:127.1.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
        certificate ca kubelet-server "/CN=$node" "$for_server" "IP:127.0.0.1,DNS:$node"
        certificate ca kubelet-client /O=system:masters/CN=kube-apiserver "$for_client"
        # Tokens of service accounts are signed with this key.
        openssl ecparam -name prime256v1 -genkey -noout -out accounts.key
        openssl ec -in accounts.key -pubout -out accounts.pub
        user admin /O=system:masters/CN=admin
        user kube-controller-manager /CN=system:kube-controller-manager
        user kube-scheduler /CN=system:kube-scheduler
        user kubelet "/O=system:nodes/CN=system:node:$node"
    ) 2>"$kubernetes_dir/openssl.log" || { cat "$kubernetes_dir/openssl.log" >&2 && die "openssl failed"; }
    mv "$pki.part"/*.kubeconfig "$kubernetes_dir"
    mv "$pki.part" "$pki"
}

for_server=extendedKeyUsage=serverAuth
for_client=extendedKeyUsage=clientAuth

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

# authority NAME
authority() {
    openssl req -x509 "${new_key[@]}" -keyout "$1.key" -out "$1.crt" -days 3650 -subj "/CN=pman-dev-$1"
}

# certificate AUTHORITY NAME SUBJECT USAGE [HOSTS]
certificate() {
    openssl req -new "${new_key[@]}" -keyout "$2.key" -out "$2.csr" -subj "$3"
    printf 'keyUsage=digitalSignature\n%s\n%s\n' "$4" "${5:+subjectAltName=$5}" >"$2.ext"
    openssl x509 -req -in "$2.csr" -CA "$1.crt" -CAkey "$1.key" -CAcreateserial -days 3650 -extfile "$2.ext" -out "$2.crt"
    rm "$2.csr" "$2.ext"
}

# user NAME SUBJECT: a client certificate in a file that kubectl and the parts understand.
user() {
    certificate ca "$1" "$2" "$for_client"
    cat >"$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: $1
contexts: [{name: $1, context: {cluster: pman-dev, user: $1}}]
clusters: [{name: pman-dev, cluster: {server: "$server", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}]
YAML
}
