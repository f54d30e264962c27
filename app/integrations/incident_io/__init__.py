"""Incidents of incident.io, which freeze deploys."""
