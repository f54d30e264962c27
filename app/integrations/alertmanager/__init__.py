"""Alerts of Prometheus's Alertmanager, which freeze deploys."""
