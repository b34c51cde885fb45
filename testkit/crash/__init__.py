"""Proof that no death loses anything: the function in a process of its own, killed before and after each message.

`function.py` runs it as Lambda does, a process an invocation (`zygote.py` forks it); `proxy.py` stands in front of
Secrets Manager and of the server, counts what the function sends (TLS stays on: its records are counted), and kills it;
`matrix.py` does that at every message of a rotation, lets the service recover, and looks whether every promise held.
"""
