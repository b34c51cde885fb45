"""DocumentDB and MongoDB."""
