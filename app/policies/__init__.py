"""policies.yaml: read, check, lint, and turn into a `PolicySet`."""
