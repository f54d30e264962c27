"""Freezegate: may this service be deployed to this environment now?"""
