# shellcheck shell=bash disable=SC2034,SC2154 # for machine.sh; lib.sh sets here
# engine: trixie
# `DOCKER_HOST` and `PMAN_PODMAN_HOST` of Debian trixie: Docker 26.1 and Podman 5.4, on a machine of their own.
machine=trixie
suite=trixie
# shellcheck source=engines/containers.sh
. "$here/containers.sh"
