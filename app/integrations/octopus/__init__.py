"""Octopus Deploy: its projects get the deployment freezes that the policies want."""
