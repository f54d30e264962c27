"""Importers: policies made from the freeze windows of other programs, one file per format."""
