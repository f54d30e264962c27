"""The use cases: check, claim, reload. One call here per request of the world outside."""
