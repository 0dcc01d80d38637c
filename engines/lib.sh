# shellcheck shell=bash
# Helpers that every engine script shares.  Sourced by up and down, never run by itself.
#
# Only lines for `eval` go to stdout; up and down keep it as descriptor 3, everything else is stderr.

STATE=${PMAN_ENGINES_DIR:-/var/lib/pman-dev}
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# down --wipe
wipe=${wipe:-no}

say() { printf 'engines: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# give NAME VALUE: one export line for the caller's shell.
give() { printf 'export %s=%q\n' "$1" "$2" >&3; }

have() { command -v "$1" >/dev/null 2>&1; }

need_root() { [ "$(id -u)" = 0 ] || die "$1 needs root: run it with sudo, or start the engine yourself"; }

# packages NAME...: installs the Debian packages that are missing.
packages() {
    local missing=() name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    need_root "installing ${missing[*]}"
    have apt-get || die "missing: ${missing[*]}; there is no apt-get here, so install them by hand"
    say "installing ${missing[*]}"
    # The package lists may be absent or may name files that the mirror no longer has.
    apt_install "${missing[@]}" || { apt-get update -q >&2 && apt_install "${missing[@]}"; } ||
        die "apt-get could not install ${missing[*]}"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" >&2 9>&-
}

# The mirror that apt uses here; it gets into no file.
mirror() {
    local codename site
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    [ -n "$(apt_sites "$codename")" ] || apt-get update -q >&2
    site=$(apt_sites "$codename" | head -n 1)
    [ -n "$site" ] || die "apt knows no mirror of $codename"
    echo "$site"
}

apt_sites() {
    # shellcheck disable=SC2016 # apt-get fills in these.
    apt-get indextargets --format '$(CODENAME) $(SITE)' 'Created-By: Packages' 'Component: main' |
        awk -v codename="$1" '$1 == codename { print $2 }'
}

# wait_for SECONDS COMMAND...: polls until the command succeeds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
}

# A pid file holds "pid birth": birth distinguishes our process from a later one with the same number.
birth_of() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The second field is the command in brackets and may hold blanks; birth is the 22nd.
    printf '%s@%s\n' "$(awk '{print $20}' <<<"${stat##*) }")" "$(cat /proc/sys/kernel/random/boot_id)"
}

# running PIDFILE: prints the pid if the process that start wrote there still runs.
running() {
    local pid birth
    read -r pid birth 2>/dev/null <"$1" || return 1
    # One that ended before start could note its birth has none.
    [ -n "$birth" ] && [ "$(birth_of "$pid")" = "$birth" ] && [ "$(awk '/^State/{print $2}' "/proc/$pid/status")" != Z ] && echo "$pid"
}

# start NAME COMMAND...: starts a daemon that outlives this shell; $STATE/run/NAME.{pid,log}.
start() {
    local name=$1 pidfile=$STATE/run/$1.pid
    shift
    mkdir -p "$STATE/run"
    say "starting $name (log: $STATE/run/$name.log)"
    # Closed: 3 is our caller's $(...), which would wait for ever; 9 is the lock.
    # The folder matters: Podman's conmon leaves an empty file "oom" in it after a kill.
    (cd "$STATE/run" && exec setsid nohup "$@" </dev/null >"$name.log" 2>&1 3>&- 9>&-) &
    printf '%s %s\n' $! "$(birth_of $!)" >"$pidfile"
}

# stop NAME [SECONDS]: ends what start started, by force after SECONDS; nothing else.
stop() {
    local pidfile=$STATE/run/$1.pid pid
    if pid=$(running "$pidfile"); then
        say "stopping $1"
        # It may end by itself at any moment, and then there is nothing to kill.
        kill "$pid" 2>/dev/null || true
        wait_for "${2:-20}" gone "$pidfile" || {
            say "$1 does not end: killing it"
            kill -9 "$pid" 2>/dev/null || true
        }
        wait_for 5 gone "$pidfile" || die "$1 (pid $pid) cannot be ended"
    fi
    rm -f "$pidfile"
}

gone() { ! running "$1"; }

# fail_start NAME: what to say when a daemon does not answer.
fail_start() {
    tail -n 20 "$STATE/run/$1.log" >&2
    stop "$1"
    die "$1 does not answer: see above and $STATE/run/$1.log"
}

# Without CAP_SYS_RESOURCE (bit 24) no process may raise an rlimit or lower an oom_score_adj.
may_raise_limits() {
    (((0x$(awk '/^CapEff/{print $2}' /proc/self/status) >> 24) & 1))
}

# enter: one up or down at a time; stdout moves to descriptor 3.
enter() {
    exec 3>&1 1>&2
    # A plain user may still use engines that run already.
    mkdir -p "$STATE" 2>/dev/null || return 0
    exec 9>"$STATE/lock"
    flock -w 600 9 || die "another engines/up or engines/down is still at work"
}

# wipe FOLDER: deletes an engine's data, of which storage drivers keep parts mounted.
wipe() {
    local mounted
    [ "$wipe" = yes ] || return 0
    awk -v under="$1/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do
        umount "$mounted"
    done
    rm -rf --one-file-system "$1"
}

# An engine is a file with the line "# engine: NAME" that defines the functions up and down.
engines() { sed -n 's/^# engine: *//p' "$here"/*.sh | sort | tr '\n' ' '; }

# dispatch up|down NAME...: calls that function of each engine, each in a shell of its own.
dispatch() {
    local action=$1 name
    shift
    [ $# -gt 0 ] || die "usage: engines/$action NAME...; there are: $(engines)"
    for name in "$@"; do
        [[ " $(engines) " == *" $name "* ]] || die "no engine '$name'; there are: $(engines)"
    done
    enter
    for name in "$@"; do
        (
            # shellcheck source=/dev/null
            . "$here/$name.sh"
            "$action"
        )
    done
}
