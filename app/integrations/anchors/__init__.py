"""Anchors: signed checkpoints of the record, sent where its database can't change them."""
