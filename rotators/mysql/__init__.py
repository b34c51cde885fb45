"""MySQL, Aurora MySQL and MariaDB."""
