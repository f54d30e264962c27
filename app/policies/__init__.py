"""Read, check and lint policies.yaml; turn it into a `PolicySet`."""
