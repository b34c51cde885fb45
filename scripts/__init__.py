"""What is run by hand or by the Makefile."""
