# shellcheck shell=bash disable=SC2034,SC2154 # for machine.sh; lib.sh sets here, machine.sh the rest
# engine: slurm-trixie
# SLURM 24.11 and Podman of Debian trixie on a machine of their own, and the stand-in for Cromwell
# before them, on the host.  SLURM's clients are commands of that machine: up puts a folder first in
# PATH whose scripts enter it.
machine=slurm-trixie
suite=trixie
engines=(podman slurm)
programs=(slurm-wlm slurmdbd slurm-wlm-mysql-plugin munge openssl mariadb-server python3
    podman runc netavark conmon catatonit iptables nftables)
# shellcheck source=engines/machine.sh
. "$here/machine.sh"
# Processes have one number inside and outside: tests kill those of jobs.
apart=(--uts --mount --propagation slave)
clients=(sacct sacctmgr sbatch scancel scontrol sinfo squeue srun)
bin=$machine_dir/bin

up() {
    boot
    give_address
    bring_up_engines
    lend_clients
    # Its own folder and port: another may stand before the SLURM of the host.
    PATH=$bin:$PATH SLURM_CONF=$machine_dir/slurm/slurm.conf PMAN_ENGINES_DIR=$machine_dir PMAN_CROMWELL_URL='' \
        PMAN_CROMWELL_PORT=$((${PMAN_CROMWELL_PORT:-16830} + 1)) "$here/up" cromwell >&3
    give PMAN_SLURM_DAEMON "$bin/slurm/daemon"
    # Registries that tests start are at the localhost of the nodes only there.
    give PMAN_ENGINES_NETNS "/run/netns/$network"
    give PATH "$bin:$PATH"
}

# SLURM asks for an address besides that of the loopback, though nothing uses it.
give_address() {
    ip -n "$network" link show slurm >/dev/null 2>&1 || ip -n "$network" link add slurm type bridge
    ip -n "$network" address replace 198.18.9.1/24 dev slurm
    ip -n "$network" link set slurm up
}

# Each runs on the machine what its name says, in the same folder.
lend_clients() {
    local name
    mkdir -p "$bin/slurm"
    for name in "${clients[@]}"; do lend "$name" "$name"; done
    # Where tests look for them: one beside the folder of the other.
    lend up "$here/up"
    lend slurm/daemon "$here/slurm/daemon"
}

lend() {
    cat >"$bin/$1.new" <<SH
#!/bin/sh
PATH=$machine_path PMAN_ENGINES_DIR=$machine_dir
export PATH PMAN_ENGINES_DIR
exec nsenter --target $(first_of "$machine") --mount --uts --net --wdns="\$PWD" $2 "\$@"
SH
    chmod +x "$bin/$1.new"
    mv "$bin/$1.new" "$bin/$1"
}

down() {
    # Its jobs are ended with SLURM itself.
    PMAN_ENGINES_DIR=$machine_dir "$here/down" cromwell
    shut_down
}
