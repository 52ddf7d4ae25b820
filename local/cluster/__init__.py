"""A Kubernetes cluster with two nodes on this machine, for `make cluster`."""
