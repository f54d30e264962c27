"""Other systems: what they are sent, and what they ask in their own words; a folder for each vendor.

The same file names stand in each folder: `vendor.py` (its table entry), `message.py` (what we send),
`route.py` (what it sends us).
"""
