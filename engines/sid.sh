# shellcheck shell=bash disable=SC2034,SC2154 # for machine.sh; lib.sh sets here
# engine: sid
# The newest Docker and Podman that Debian has, on a machine of their own; sid moves, so up says
# which versions it found (in November 2026: Docker 28.5, Podman 5.8).
machine=sid
suite=sid
# shellcheck source=engines/containers.sh
. "$here/containers.sh"
