"""The only home of SQL: what must survive a crash. Its records and errors load no database library."""
