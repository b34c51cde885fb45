"""`make demo`: real passwords of a real server, rotated on this machine, with clients that log in all the while."""
