"""Flagger: canaries that wait before they scale up."""
