"""Buildkite: block steps that are unblocked when deploys open."""
