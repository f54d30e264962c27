"""Kubernetes: the admission webhook, and the ConfigMap that policy engines in a cluster read."""
