"""Jobs as containers of Docker Engine or Podman."""
