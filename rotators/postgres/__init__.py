"""PostgreSQL, on RDS, Aurora or anywhere else."""
