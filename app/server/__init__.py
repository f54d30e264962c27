"""What the HTTP edges share: how requests are read and refused, the log, metrics, middleware."""
