"""What the HTTP edges share: problems, logging, request ids, limits."""
