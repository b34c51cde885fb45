"""Passwords for Redshift, which demands an upper-case letter, a lower-case letter and a digit, whatever the settings say."""

import string

import pytest

from common.errors import BadSetting
from common.settings import Settings
from rotators.redshift.target import Redshift

POLICY = Redshift.password_policy


def made(tags: dict[str, str], environment: dict[str, str]) -> list[str]:
    """Some passwords."""
    recipe = Settings(tags, environment).password_recipe(POLICY)
    return [recipe.make() for _ in range(200)]


@pytest.mark.parametrize(
    ("tags", "environment"),
    [
        ({}, {}),
        ({}, {"REQUIRE_EACH_INCLUDED_TYPE": "false"}),
        ({"rotation:password-length": "8"}, {"REQUIRE_EACH_INCLUDED_TYPE": "false"}),
        ({"rotation:password-length": "8", "rotation:password-profile": "alphanumeric"}, {}),
        ({"rotation:password-length": "64", "rotation:password-profile": "url-safe"}, {}),
        ({}, {"EXCLUDE_CHARACTERS": "abc", "EXCLUDE_PUNCTUATION": "true"}),
        ({"rotation:password-profile": "default"}, {"EXCLUDE_NUMBERS": "true"}),  # the profile wins
    ],
)
def test_each_class_is_in_every_password(tags: dict[str, str], environment: dict[str, str]) -> None:
    """Also without REQUIRE_EACH_INCLUDED_TYPE, and at the shortest: Redshift would take them all in clear."""
    for password in made(tags, environment):
        assert POLICY.allows(password)
        for kind in (string.ascii_uppercase, string.ascii_lowercase, string.digits):
            assert set(password) & set(kind)
        assert not set(password) & set("'\"\\/@ ")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"EXCLUDE_UPPERCASE": "true"}, "leave no uppercase,"),
        ({"EXCLUDE_LOWERCASE": "true"}, "leave no lowercase,"),
        ({"EXCLUDE_NUMBERS": "true"}, "leave no numbers,"),
        ({"EXCLUDE_CHARACTERS": string.digits}, "leave no numbers,"),
        ({"EXCLUDE_NUMBERS": "true", "EXCLUDE_LOWERCASE": "true"}, "leave no lowercase and no numbers,"),
    ],
)
def test_a_class_that_is_excluded(environment: dict[str, str], named: str) -> None:
    """An error that names it; AWS's function for Redshift ignores these variables."""
    with pytest.raises(BadSetting, match=named) as error:
        Settings({}, environment).password_recipe(POLICY)
    assert error.value.code == "setting-invalid"


@pytest.mark.parametrize("length", ["7", "65"])
def test_a_length_that_redshift_does_not_take(length: str) -> None:
    """8 to 64."""
    with pytest.raises(BadSetting, match="The tag rotation:password-length is not a number from 8 to 64"):
        Settings({"rotation:password-length": length}, {}).password_recipe(POLICY)


@pytest.mark.parametrize("password", ["aB3-" * 16, "aB3-aB3-"])
def test_what_is_allowed(password: str) -> None:
    """The longest, the shortest."""
    assert POLICY.allows(password)
