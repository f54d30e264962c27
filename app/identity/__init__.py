"""Callers and their credentials: API keys, override tokens, sessions, OIDC identity tokens."""
