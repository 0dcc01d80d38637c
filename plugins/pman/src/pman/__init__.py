"""pman by the name and the start commands of pman 6; the service itself is ``pman_core``."""
