"""What the stand-in refuses, with the code that a server gives."""


class Refused(Exception):
    """sqlstate: five characters. text: the server's sentence."""

    def __init__(self, sqlstate: str, text: str) -> None:
        super().__init__(sqlstate, text)
        self.sqlstate, self.text = sqlstate, text


def not_emulated(what: str) -> Refused:
    """Redshift has it, the stand-in has not: a test that needs it wants more emulation, not another statement."""
    return Refused("0A000", f"the stand-in for Redshift does not emulate {what}")
