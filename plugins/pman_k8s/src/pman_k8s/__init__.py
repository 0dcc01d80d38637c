"""Runs jobs as Jobs of Kubernetes or OpenShift."""
