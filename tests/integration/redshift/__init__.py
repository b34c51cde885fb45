"""Tests with the stand-in for Amazon Redshift."""
