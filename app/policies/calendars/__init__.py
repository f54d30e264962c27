"""Calendars by URL: how they are fetched, kept, judged and recorded."""
