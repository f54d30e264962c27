"""Freezegate: may this service be deployed to this environment now?"""

__version__ = "0.2.0"
