"""Incoming webhooks of Slack and of services that accept the same messages."""
