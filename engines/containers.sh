# shellcheck shell=bash disable=SC2034,SC2154 # for machine.sh; lib.sh sets here, machine.sh the rest
# A machine with Docker and Podman side by side, as on a host: trixie.sh, sid.sh.
# shellcheck source=engines/machine.sh
. "$here/machine.sh"

engines=(docker podman)
programs=(docker.io docker-cli docker-compose runc podman netavark conmon catatonit iptables nftables jq)

up() {
    boot
    bring_up_engines
    # There is the localhost from which its engines pull.
    give PMAN_ENGINES_NETNS "/run/netns/$network"
}

down() { shut_down; }
