"""Which strategy serves a secret; who may be reset; how long a name may be."""

from dataclasses import dataclass

import pytest

from common.errors import BadSetting
from common.secret import Secret
from common.settings import Settings


@dataclass(frozen=True)
class Named:
    """A strategy, as far as it is chosen."""

    name: str


SINGLE, ALTERNATING = Named("single-user"), Named("alternating-users")
PLAIN = Secret({"username": "app"}, "s")
WITH_ADMIN = Secret({"username": "app", "masterarn": "arn:admin"}, "s")


@pytest.mark.parametrize(
    ("tags", "environment", "value", "chosen"),
    [
        ({}, {}, PLAIN, SINGLE),
        ({}, {}, WITH_ADMIN, ALTERNATING),
        ({}, {"ROTATION_STRATEGY": "single-user"}, WITH_ADMIN, SINGLE),
        ({}, {"ROTATION_STRATEGY": ""}, WITH_ADMIN, ALTERNATING),
        ({"rotation:strategy": "alternating-users"}, {"ROTATION_STRATEGY": "single-user"}, PLAIN, ALTERNATING),
        ({"rotation:strategy": "single-user"}, {"ROTATION_STRATEGY": "alternating-users"}, WITH_ADMIN, SINGLE),
        ({"rotation:strategy": "single-user"}, {}, None, SINGLE),
        ({}, {}, None, None),
    ],
)
def test_which_strategy(
    tags: dict[str, str], environment: dict[str, str], value: Secret | None, chosen: Named | None
) -> None:
    """The tag, else the environment, else by the admin secret that the value names; unknown without a value."""
    assert Settings(tags, environment).choose([SINGLE, ALTERNATING], value) == chosen


def test_a_function_with_one_strategy() -> None:
    """Needs no value to know."""
    assert Settings({}, {}).choose([SINGLE], None) == SINGLE
    assert Settings({}, {}).choose([SINGLE], WITH_ADMIN) == SINGLE


@pytest.mark.parametrize(
    ("tags", "environment", "named"),
    [
        ({"rotation:strategy": "magic"}, {}, "The tag rotation:strategy is not one of"),
        ({}, {"ROTATION_STRATEGY": "SINGLE-USER"}, "The environment variable ROTATION_STRATEGY is not one of"),
    ],
)
def test_a_strategy_that_the_function_has_not(tags: dict[str, str], environment: dict[str, str], named: str) -> None:
    """Named, with those that it has."""
    with pytest.raises(BadSetting, match=named) as error:
        Settings(tags, environment).choose([SINGLE, ALTERNATING], PLAIN)
    assert "single-user, alternating-users" in str(error.value)


def test_who_may_be_reset() -> None:
    """W6: exactly the user that the tag names."""
    settings = Settings({"rotation:reconcile": "app"}, {})
    assert [settings.reconciles(user) for user in ("app", "App", "app ", "ap", "")] == [
        True,
        False,
        False,
        False,
        False,
    ]
    assert not Settings({}, {}).reconciles("app")


@pytest.mark.parametrize(("text", "limit"), [(None, 63), ("", 63), ("20", 20), ("63", 63)])
def test_how_long_a_name_may_be(text: str | None, limit: int) -> None:
    """USERNAME_CHARACTER_LIMIT, as AWS's functions have it, else what the target takes."""
    environment = {} if text is None else {"USERNAME_CHARACTER_LIMIT": text}
    assert Settings({}, environment).username_limit(63) == limit


@pytest.mark.parametrize("text", ["0", "64", "-1", "many"])
def test_a_limit_that_makes_no_sense(text: str) -> None:
    """Named."""
    with pytest.raises(BadSetting, match="USERNAME_CHARACTER_LIMIT is not a number from 1 to 63"):
        Settings({}, {"USERNAME_CHARACTER_LIMIT": text}).username_limit(63)
