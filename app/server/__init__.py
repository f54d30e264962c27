"""The HTTP server shared by the API and the pages: requests, errors, log, metrics, middleware."""
