"""Build what a release consists of; see `release.__main__`."""
