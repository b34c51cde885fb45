"""What PostgreSQL and Redshift have truly in common: libpq, its waits, its texts. Ships with both functions."""
