"""Who asks: keys, tokens, and the identity tokens of CI systems."""
