"""Redshift: single user and alternating users."""
