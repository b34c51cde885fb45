"""Amazon DocumentDB, and MongoDB."""
