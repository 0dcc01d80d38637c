"""Jobs as Jobs of Kubernetes or OpenShift."""
