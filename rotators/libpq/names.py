"""Names as they stand in commands that we print, and in settings that the server has stored."""

import re


def quoted(name: str) -> str:
    """A name as it stands in a command that we print."""
    return '"' + name.replace('"', '""') + '"'


def listed(value: str) -> list[str]:
    """The elements of a stored list of names: `"a, b", public` is `a, b` and `public`."""
    found = re.findall(r'"((?:[^"]|"")*)"|([^",\s]+)', value)
    return [plain or inner.replace('""', '"') for inner, plain in found]
