"""The only home of SQL. Its records and errors import no database library."""
