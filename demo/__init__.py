"""`make demo`: real passwords of a real server, or keys of a service, rotated on this machine, with clients that log in all the while."""
