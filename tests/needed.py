"""What a test does where a server or a program that it needs is not there."""

import os

import pytest


def no_server(reason: str) -> None:
    """Skip, or fail where REQUIRE_SERVERS says that every server must be there."""
    if os.environ.get("REQUIRE_SERVERS"):
        pytest.fail(reason)
    pytest.skip(reason)
