"""What the stand-in refuses, with the code that a server gives."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Refused(Exception):  # noqa: N818
    """sqlstate: five characters. text: the server's sentence."""

    sqlstate: str
    text: str


def not_emulated(what: str) -> Refused:
    """Redshift has it, the stand-in has not: a test that needs it wants more emulation, not another statement."""
    return Refused("0A000", f"the stand-in for Redshift does not emulate {what}")
