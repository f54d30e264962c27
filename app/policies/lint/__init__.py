"""Lint: warnings about policy files that are valid but probably not what their author meant."""
