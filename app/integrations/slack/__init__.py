"""Incoming webhooks of Slack, and of what understands the same messages."""
