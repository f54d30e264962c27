"""The only home of SQL: what must survive a crash."""
