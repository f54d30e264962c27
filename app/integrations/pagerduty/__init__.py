"""Incidents of PagerDuty, which freeze deploys."""
