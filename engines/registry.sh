# shellcheck shell=bash disable=SC2154 # lib.sh, sourced before, sets STATE, here and wipe
# engine: registry
# A real image registry on localhost, for tests of pulling: Debian's docker-registry, without TLS.
registry_dir=$STATE/registry
registry=localhost:${PMAN_REGISTRY_PORT:-15000}

answers() { curl -fsS --max-time 5 "http://$registry/v2/"; }

up() {
    packages docker-registry curl
    if ! running "$STATE/run/registry.pid" >/dev/null; then
        launch
    fi
    give PMAN_TEST_REGISTRY "$registry"
}

launch() {
    mkdir -p "$registry_dir"
    cat >"$registry_dir/config.yml" <<YAML
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $registry_dir/data}, delete: {enabled: true}}
http: {addr: "127.0.0.1:${registry##*:}"}
YAML
    start registry docker-registry serve "$registry_dir/config.yml"
    wait_for 20 answers || fail_start registry
}

down() {
    stop registry
    wipe "$registry_dir"
}
