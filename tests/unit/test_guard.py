"""The guard, G1 to G5."""

import pytest

from common.errors import NotRotatable
from common.guard import Description, already_done, same_but_for
from common.secret import Secret


def described(*, enabled: bool = True, **stages: str) -> Description:
    """A secret whose version `name` holds the label given for it."""
    return Description("arn:app", enabled, {version: frozenset({label}) for version, label in stages.items()}, {})


def test_g1_rotation_disabled() -> None:
    """Nothing is done for a secret that does not rotate."""
    with pytest.raises(NotRotatable) as error:
        already_done(described(enabled=False, one="AWSCURRENT", two="AWSPENDING"), "two")
    assert error.value.code == "rotation-disabled"


def test_g2_token_unknown() -> None:
    """Nor for a version that it does not have."""
    with pytest.raises(NotRotatable) as error:
        already_done(described(one="AWSCURRENT"), "two")
    assert error.value.code == "version-unknown"


def test_g3_token_is_current() -> None:
    """An earlier delivery finished: done, whatever the step."""
    assert already_done(described(one="AWSPREVIOUS", two="AWSCURRENT"), "two")


def test_g4_token_is_not_pending() -> None:
    """Abandoned: the error says so."""
    with pytest.raises(NotRotatable, match="abandoned") as error:
        already_done(described(one="AWSCURRENT", two="AWSPREVIOUS"), "two")
    assert error.value.code == "version-not-pending"


def test_a_pending_version_is_to_be_done() -> None:
    """The ordinary case."""
    assert not already_done(described(one="AWSCURRENT", two="AWSPENDING"), "two")


CURRENT = Secret({"host": "db", "username": "app", "password": "one", "port": 5432}, "AWSCURRENT of app")


def test_g5_another_password_is_what_a_rotation_makes() -> None:
    """The password may differ."""
    same_but_for({"password"}, CURRENT, CURRENT.with_fields("AWSPENDING of app", password="two"))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"host": "evil.example.com"}, "'host'"),
        ({"username": "victim"}, "'username'"),
        ({"port": "5432"}, "'port'"),
        ({"ssl": False}, "'ssl'"),
        ({"masterarn": "arn:x"}, "'masterarn'"),
        ({"host": "evil", "extra": None}, "'extra', 'host'"),
    ],
)
def test_g5_anything_else_is_refused(fields: dict[str, object], named: str) -> None:
    """Another host, user, port, TLS setting, or a field more, null included: named, its value not shown."""
    with pytest.raises(NotRotatable, match=named) as error:
        same_but_for({"password"}, CURRENT, CURRENT.with_fields("AWSPENDING of app", password="two", **fields))
    assert error.value.code == "pending-differs"
    assert "evil" not in str(error.value)


def test_g5_a_field_less_is_refused() -> None:
    """A missing field differs too."""
    with pytest.raises(NotRotatable, match="'port'"):
        same_but_for({"password"}, CURRENT, Secret({"host": "db", "username": "app", "password": "x"}, "p"))
