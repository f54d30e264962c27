"""Events of the record, pushed to a SIEM."""
