"""Exporters: write the freezes of a policy set for other programs. One file per format."""
