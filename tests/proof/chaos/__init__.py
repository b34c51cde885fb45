"""Chaos: what may happen to a secret (events.py), let happen (story.py), and whether every promise held (promises.py).

    with bench(scenario) as on:
        play(on, [Rotate((Trouble("setSecret", Fault("the server", 7, CUT_AFTER)),)), Do(GO_BACK)])

The server and the function are real, the function in processes that can be killed; between it and the server, and between it and
the simulated Secrets Manager, are faulty proxies (testkit/faults.py). `play` ends each story with one calm rotation, after which
every promise must hold; those that hold at every instant are looked at after each delivery, each fault and each act.
"""
