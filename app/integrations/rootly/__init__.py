"""Incidents of Rootly, which freeze deploys."""
