"""Clients that log in without pause while a secret rotates: what becomes of them, and how long they were refused."""
