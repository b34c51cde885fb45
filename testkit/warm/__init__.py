"""A function in one process that stays, as Lambda keeps it warm: `runtime.py` is that process, `function.py` calls it.

`usage.py` looks at it from outside: its memory, files, sockets and threads.
"""
