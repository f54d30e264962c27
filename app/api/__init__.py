"""The HTTP API: one router per URL."""
