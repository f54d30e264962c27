"""Notifications to other systems: a folder for each vendor, with the same file names in each.

A new vendor is a new folder with a `vendor.py` (its table entry) and a `message.py` (its messages).
"""
