# shellcheck shell=bash disable=SC2154 # lib.sh, sourced before, sets STATE, here and wipe
# engine: slurm
# SLURM on one node: munged, slurmctld and slurmd with cgroups, and by default accounting (MariaDB and
# slurmdbd); PMAN_SLURM_ACCOUNTING=no goes without.  A cluster that SLURM_CONF names is used as it is.
# Tests stop, kill and restart single daemons with engines/slurm/daemon.

slurm_dir=$STATE/slurm
# In the order in which they start.
daemons=(munged mariadb slurmdbd slurmctld slurmd)

# Every client and every job of ours reads this one; nothing is written to /etc/slurm.
ours() { [ "${SLURM_CONF:-$slurm_dir/slurm.conf}" = "$slurm_dir/slurm.conf" ]; }

up() {
    accounting=${PMAN_SLURM_ACCOUNTING:-yes}
    [[ $accounting =~ ^(yes|no)$ ]] || die "PMAN_SLURM_ACCOUNTING is '$accounting', neither yes nor no"
    if ours; then
        need_root "starting SLURM"
        launch
    else
        runs_jobs || die "SLURM_CONF=$SLURM_CONF names a cluster that runs no job of ours"
        sacct --noheader >/dev/null 2>&1 || accounting=no
    fi
    say "$(sinfo --version) with accounting: $accounting; SLURM_CONF=$SLURM_CONF"
    give SLURM_CONF "$SLURM_CONF"
    give PMAN_SLURM 1
    give PMAN_SLURM_ACCOUNTING "$accounting"
    give PMAN_SLURM_DAEMON "$here/slurm/daemon"
}

runs_jobs() { timeout 30 srun --quiet --mem=32 --time=1 true; }

launch() {
    local name
    export SLURM_CONF=$slurm_dir/slurm.conf
    packages slurm-wlm munge openssl
    [ "$accounting" = no ] || packages mariadb-server slurmdbd slurm-wlm-mysql-plugin
    configure
    running "$STATE/run/slurmd.pid" >/dev/null || forget_cgroups
    for name in $(wanted); do
        running "$STATE/run/$name.pid" >/dev/null || begin "$name"
        # A daemon that cannot answer its successor would make that one fail for no visible reason.
        wait_for 60 "answers_$name" || fail_start "$name"
    done
    resume
    wait_for 60 runs_jobs || { sinfo --long --Node && squeue --states all && fail_start slurmd; }
}

# A node that an earlier run left drained would let every job wait for ever.
resume() {
    case $(sinfo --noheader --partition main --format %T) in
        drain*) timeout 20 scontrol update nodename="$(hostname -s)" state=resume ;;
    esac
}

wanted() {
    local name
    for name in "${daemons[@]}"; do
        [[ $accounting = no && $name =~ ^(mariadb|slurmdbd)$ ]] || echo "$name"
    done
}

# A daemon that runs with another configuration has to be started anew; its jobs run on.
configure() {
    local before
    before=$(cat "$slurm_dir"/*.conf 2>/dev/null || true)
    install -d -m 755 "$slurm_dir" "$slurm_dir/slurmctld" "$slurm_dir/slurmd"
    install -d -o munge -g munge -m 755 "$slurm_dir/munge"
    write_configuration
    [ "$before" = "$(cat "$slurm_dir"/*.conf)" ] || halt
}

write_configuration() {
    local file gpu
    [ -s "$slurm_dir/munge/key" ] ||
        (umask 077 && head -c 128 /dev/urandom >"$slurm_dir/munge/key" && chown munge: "$slurm_dir/munge/key")
    [ -s "$slurm_dir/password" ] || (umask 077 && openssl rand -hex 16 >"$slurm_dir/password")
    for gpu in 0 1; do
        ln -sfn /dev/null "$slurm_dir/gpu$gpu"
    done
    for file in slurm.conf cgroup.conf gres.conf slurmdbd.conf task-prolog; do
        (umask 077 && filled <"$here/slurm/$file" >"$slurm_dir/$file.new")
        mv "$slurm_dir/$file.new" "$slurm_dir/$file"
    done
    # The one with the password stays root's.
    chmod 644 "$slurm_dir"/{slurm,cgroup,gres}.conf
    chmod 755 "$slurm_dir/task-prolog"
}

filled() {
    local memory storage=none loopback=
    # Most of the machine's memory, in MiB; the rest is for what is no job.
    memory=$(awk '/^MemTotal/ { print int($2 / 1024 * 0.7) }' /proc/meminfo)
    [ "$accounting" = no ] ||
        storage="slurmdbd\nAccountingStorageHost=127.0.0.1\nAccountingStoragePort=16819\nAccountingStoragePass=$slurm_dir/munge/socket\nAccountingStoreFlags=job_comment"
    # With this word slurmd listens on what the host's name stands for, so only where that is loopback.
    case $(getent ahostsv4 "$(hostname -s)" | awk '{ print $1; exit }') in 127.*) loopback=,NoInAddrAny ;; esac
    sed -e "s|@HOST@|$(hostname -s)|g" -e "s|@DIR@|$slurm_dir|g" -e "s|@STATE@|$STATE|g" \
        -e "s|@MEMORY@|$memory|" -e "s|@CORES@|$(cores)|" -e "s|@LOOPBACK@|$loopback|" \
        -e "s|@ACCOUNTING@|AccountingStorageType=accounting_storage/$storage|" \
        -e "s|@PASSWORD@|$(cat "$slurm_dir/password")|" \
        -e "s|@PLUGIN@|$(cgroup_plugin)|" -e "s|@SWAP@|$(swap_limit)|"
}

# What slurmd finds, in the words of slurm.conf: CPUs=2 Boards=1 ...
cores() { slurmd -C | sed -n 's/^NodeName=[^ ]* \(.*\) RealMemory=.*/\1/p'; }

# Where both versions are mounted, the controllers belong to the first.
cgroup_plugin() { if [ -d /sys/fs/cgroup/freezer ]; then echo cgroup/v1; else echo cgroup/v2; fi; }

swap_limit() {
    if [ -d /sys/fs/cgroup/memory ] && [ ! -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ]; then echo no; else echo yes; fi
}

begin() {
    case $1 in
        munged)
            start munged setpriv --reuid munge --regid munge --init-groups munged --foreground \
                --key-file "$slurm_dir/munge/key" --socket "$slurm_dir/munge/socket" --force \
                --pid-file "$slurm_dir/munge/pid" --seed-file "$slurm_dir/munge/seed" \
                --log-file "$slurm_dir/munge/log"
            ;;
        mariadb) begin_mariadb ;;
        # It has no option for its configuration: it looks beside slurm.conf.
        slurmdbd) start slurmdbd env SLURM_CONF="$slurm_dir/slurm.conf" slurmdbd -D ;;
        slurmctld) start slurmctld slurmctld -D -i -f "$slurm_dir/slurm.conf" ;;
        slurmd) start slurmd slurmd -D -f "$slurm_dir/slurm.conf" ;;
    esac
}

begin_mariadb() {
    local data=$slurm_dir/mariadb
    if [ ! -d "$data/mysql" ]; then
        rm -rf "$data" "$data.new"
        install -d -o mysql -g mysql "$data.new"
        mariadb-install-db --no-defaults --user=mysql --datadir="$data.new" --skip-test-db \
            --auth-root-authentication-method=socket >/dev/null
        mv "$data.new" "$data"
    fi
    start mariadb mariadbd --no-defaults --user=mysql --datadir="$data" --socket="$data/socket" \
        --pid-file="$data/pid" --bind-address=127.0.0.1 --port=16820 --skip-name-resolve \
        --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900
}

sql() { timeout 20 mariadb --no-defaults --socket "$slurm_dir/mariadb/socket" --execute "$1"; }

answers_munged() { munge --socket "$slurm_dir/munge/socket" --no-input | unmunge --socket "$slurm_dir/munge/socket"; }
answers_mariadb() {
    sql "create database if not exists slurm;
         create or replace user slurm@127.0.0.1 identified by '$(cat "$slurm_dir/password")';
         grant all on slurm.* to slurm@127.0.0.1"
}
answers_slurmdbd() { timeout 20 sacctmgr --noheader --immediate list cluster; }
answers_slurmctld() { timeout 20 scontrol ping | grep -q 'is UP'; }
answers_slurmd() { [ "$(timeout 20 sinfo --noheader --partition main --format %T)" != down ]; }

down() {
    export SLURM_CONF=$slurm_dir/slurm.conf
    if [ -d "$slurm_dir" ]; then
        forget_jobs
        halt
        end_steps
        forget_cgroups
    else
        say "slurm: nothing to stop"
    fi
    wipe "$slurm_dir"
}

# Everything in this cluster is left over from tests, since nothing else uses it.
forget_jobs() {
    answers_slurmctld 2>/dev/null || return 0
    timeout 20 scancel --me || true
    # Longer than KillWait.
    wait_for 40 no_jobs || say "some jobs do not end by themselves"
}

no_jobs() { [ -z "$(timeout 20 squeue --noheader)" ]; }

halt() {
    local index
    for ((index = ${#daemons[@]} - 1; index >= 0; index--)); do
        stop "${daemons[index]}"
    done
}

murder() {
    local pid
    pid=$(running "$STATE/run/$1.pid") || die "$1 does not run"
    kill -9 "$pid"
    wait_for 5 gone "$STATE/run/$1.pid" || die "$1 (pid $pid) cannot be ended"
}

# Jobs outlive slurmd; those that could not be cancelled are found by their cgroups.
end_steps() {
    # A zombie that is not reaped does not count.
    if pgrep --runstates DRS -x slurmd >/dev/null; then
        say "another slurmd runs here: left-over jobs are not looked for"
    else
        wait_for 10 no_steps || die "processes of jobs cannot be ended: $(steps | tr '\n' ' ')"
    fi
}

# Limits outlive a step that was killed.  A new cluster counts its jobs from 1 again, and cannot raise
# the memory of one whose swap an older job of that number has limited: the node would be drained.
forget_cgroups() {
    pgrep --runstates DRS -x slurmd >/dev/null ||
        find /sys/fs/cgroup -depth -type d -path '*slurm*' -exec rmdir {} + 2>/dev/null || true
}

no_steps() {
    local pid left=0
    for pid in $(steps); do
        kill -9 "$pid" 2>/dev/null && left=1
    done
    return $left
}

steps() {
    find /sys/fs/cgroup -path '*slurm*/job_*' -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u
}
