"""Argo CD: its AppProjects get the sync windows that the policies want."""
