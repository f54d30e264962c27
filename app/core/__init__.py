"""The pure heart: windows, policies, timelines, decisions. No I/O, no clock, no framework."""
