"""MySQL and MariaDB, for real."""
