# shellcheck shell=bash disable=SC2034,SC2154 # for machine.sh; lib.sh sets here, machine.sh the rest
# A machine with Docker and Podman side by side, as on a host: trixie.sh, sid.sh.
# shellcheck source=engines/machine.sh
. "$here/machine.sh"
# shellcheck source=engines/image.sh
. "$here/image.sh"

engines=(docker podman)
programs=(docker.io docker-cli docker-compose runc podman netavark conmon catatonit iptables nftables jq)

up() {
    boot
    lend_images
    bring_up_engines
    # There is the localhost from which its engines pull.
    give PMAN_ENGINES_NETNS "/run/netns/$network"
}

# The test images are made once, on the host.
lend_images() {
    make_base
    make_chris
    mkdir -p "$machine_dir/images"
    ln -f "$image_dir"/*-"$recipe.tar" "$machine_dir/images"
}

down() { shut_down; }
