"""Projections: the freezes in force, as windows that another system enforces. One file per target."""
