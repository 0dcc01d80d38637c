# shellcheck shell=bash disable=SC2154 # lib.sh, sourced before, sets STATE, here and wipe
# engine: cromwell
# A STAND-IN for Cromwell, for tests (engines/cromwell/README.md): its API before the SLURM of
# `engines/up slurm`, with the configuration file that pman-cromwell ships.
# PMAN_CROMWELL_CONFIG names another file; PMAN_CROMWELL_TIMES=real takes Cromwell's own intervals.

cromwell_dir=$STATE/cromwell
address=http://127.0.0.1:${PMAN_CROMWELL_PORT:-16830}
shared=$(cd -- "$here/.." && pwd)/plugins/pman_cromwell/src/pman_cromwell/share
# The variables of that file that a site sets: here the node's script is where it is, and jobs run
# on the node itself unless PMAN_RUNTIME=podman.
export PMAN_NODE=${PMAN_NODE:-$shared/pman-slurm} PMAN_RUNTIME=${PMAN_RUNTIME:-none}
export SLURM_CONF=${SLURM_CONF:-$STATE/slurm/slurm.conf}

up() {
    local config=${PMAN_CROMWELL_CONFIG:-$shared/cromwell-slurm.conf} times=${PMAN_CROMWELL_TIMES:-fast}
    packages curl
    environment
    if ! ours; then
        answers || die "PMAN_CROMWELL_URL=$PMAN_CROMWELL_URL does not answer"
    else
        scontrol ping >/dev/null 2>&1 || die "no SLURM answers: engines/up slurm comes first"
        launch "$config" "$times"
    fi
    say "cromwell, a stand-in for tests, on $PMAN_CROMWELL_URL"
    give PMAN_CROMWELL_URL "$PMAN_CROMWELL_URL"
    give PMAN_CROMWELL_PYTHON "$cromwell_dir/python/bin/python"
    give PMAN_CROMWELL_SERVER "$here/cromwell/server"
}

# Another address is that of a server that somebody else has started.
ours() { [ "${PMAN_CROMWELL_URL:-$address}" = "$address" ]; }

answers() { curl --fail --silent --max-time 10 "$PMAN_CROMWELL_URL/engine/v1/version"; }

# What the server needs, apart from every other environment.
environment() {
    local python=$cromwell_dir/python
    if ! cmp --silent "$here/cromwell/requirements.txt" "$python/installed"; then
        say "installing what the stand-in needs into $python"
        rm -rf "$python"
        mkdir -p "$cromwell_dir"
        python3 -m venv "$python" || { packages python3-venv && python3 -m venv "$python"; }
        "$python/bin/pip" install --quiet --requirement "$here/cromwell/requirements.txt"
        cp "$here/cromwell/requirements.txt" "$python/installed"
    fi
}

launch() {
    local config=$1 times=$2 asked
    PMAN_CROMWELL_URL=$address
    [ -f "$config" ] || die "there is no $config"
    asked="$config $times $SLURM_CONF $PMAN_NODE $PMAN_RUNTIME"
    # Another question needs another server; its jobs run on.
    [ "$asked" = "$(cat "$cromwell_dir/asked" 2>/dev/null)" ] || stop cromwell
    if ! running "$STATE/run/cromwell.pid" >/dev/null; then
        mkdir -p "$cromwell_dir/state"
        start cromwell "$here/cromwell/server" "$cromwell_dir/python/bin/python" --config "$config" \
            --state "$cromwell_dir/state" --root "$cromwell_dir/executions" --times "$times" --port "${address##*:}"
        echo "$asked" >"$cromwell_dir/asked"
    fi
    wait_for 30 answers || fail_start cromwell
}

down() {
    if [ -f "$STATE/run/cromwell.pid" ]; then
        stop cromwell
    else
        say "cromwell: nothing to stop"
    fi
    wipe "$cromwell_dir"
}
