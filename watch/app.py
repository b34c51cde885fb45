"""A placeholder: counts nothing yet."""


def handler(_event: object, _context: object) -> None:
    """Do nothing."""
