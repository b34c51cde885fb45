"""New passwords, and the settings that shape them."""

import collections
import string
from typing import Any

import pytest

from common.errors import BadSetting
from common.password import CLASSES, PasswordPolicy, PasswordRecipe
from common.settings import Settings

POLICY = PasswordPolicy(shortest=8, longest=99)


def recipe(policy: PasswordPolicy = POLICY, tags: dict[str, str] | None = None, **environment: str) -> PasswordRecipe:
    """The recipe under these settings."""
    return Settings(tags or {}, environment).password_recipe(policy)


def alphabet(made: PasswordRecipe) -> set[str]:
    """Every character that it may draw."""
    return set(made.alphabet)


def test_by_default_as_aws_does() -> None:
    """32 characters, all four classes, without the characters that AWS's functions leave out: / @ " ' and backslash."""
    made = recipe()
    assert made.length == len(made.make()) == 32
    assert alphabet(made) == set(string.ascii_letters + string.digits + string.punctuation) - set("/@\"'\\")


def test_each_class_appears_every_time() -> None:
    """Short enough that a class would often be missing."""
    made = recipe(PASSWORD_LENGTH="8")
    for _ in range(300):
        password = made.make()
        assert len(password) == 8
        assert all(set(password) & set(chars) for chars in made.required)


def test_it_is_uniform() -> None:
    """Every character is as likely as any other, at every place: chi-square over 94 characters, far in the tail.

    A generator that puts the required classes at fixed places, as moto's and others do, fails at once.
    """
    made = PasswordRecipe(40, "".join(CLASSES.values()), tuple(CLASSES.values()))
    passwords = [made.make() for _ in range(4000)]
    for counted in (collections.Counter("".join(passwords)), collections.Counter(p[-1] for p in passwords)):
        expected = sum(counted.values()) / 94
        chi_square = sum((counted[char] - expected) ** 2 / expected for char in alphabet(made))
        assert chi_square < 170, "93 degrees of freedom: P(> 170) is 2e-6"
    assert len(set(passwords)) == 4000


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"EXCLUDE_NUMBERS": "true"}, string.ascii_letters + string.punctuation),
        ({"EXCLUDE_PUNCTUATION": "1"}, string.ascii_letters + string.digits),
        ({"EXCLUDE_UPPERCASE": "Yes"}, string.ascii_lowercase + string.digits + string.punctuation),
        ({"EXCLUDE_LOWERCASE": "y"}, string.ascii_uppercase + string.digits + string.punctuation),
        (
            {"EXCLUDE_CHARACTERS": "ab0", "EXCLUDE_NUMBERS": "false"},
            "".join(CLASSES.values()).translate({97: None, 98: None, 48: None}),
        ),
    ],
)
def test_awss_environment_names(environment: dict[str, Any], expected: str) -> None:
    """Each of them, with the values that AWS's functions take for true."""
    assert alphabet(recipe(**{"EXCLUDE_CHARACTERS": " ", **environment})) == set(expected)


def test_a_class_need_not_appear() -> None:
    """REQUIRE_EACH_INCLUDED_TYPE=false."""
    assert not recipe(REQUIRE_EACH_INCLUDED_TYPE="false").required
    assert len(recipe(REQUIRE_EACH_INCLUDED_TYPE="true").required) == 4


def test_tags_win_over_the_environment() -> None:
    """Length and profile, by secret."""
    assert recipe(tags={"rotation:password-length": "20"}, PASSWORD_LENGTH="40").length == 20
    made = recipe(tags={"rotation:password-profile": "alphanumeric"}, EXCLUDE_NUMBERS="true")
    assert alphabet(made) == set(string.ascii_letters + string.digits)
    made = recipe(tags={"rotation:password-profile": "url-safe"})
    assert alphabet(made) == set(string.ascii_letters + string.digits + "-._~")
    made = recipe(tags={"rotation:password-profile": "default"}, EXCLUDE_CHARACTERS="x")
    assert alphabet(made) == set("".join(CLASSES.values())) - {"x"}


def test_a_targets_forbidden_characters_never_appear() -> None:
    """Whatever the settings say."""
    policy = PasswordPolicy(shortest=8, longest=64, forbidden="/@ \"'\\")
    assert not alphabet(recipe(policy, EXCLUDE_CHARACTERS=" ")) & set(policy.forbidden)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"PASSWORD_LENGTH": "7"}, "PASSWORD_LENGTH is not a number from 8 to 99"),
        ({"PASSWORD_LENGTH": "100"}, "PASSWORD_LENGTH"),
        ({"PASSWORD_LENGTH": "many"}, "PASSWORD_LENGTH"),
        ({"PASSWORD_LENGTH": "²"}, "PASSWORD_LENGTH"),
        ({"tags": {"rotation:password-length": "3"}}, "rotation:password-length"),
        ({"tags": {"rotation:password-profile": "strong"}}, "rotation:password-profile is not one of default, alpha"),
        ({"EXCLUDE_NUMBERS": "perhaps"}, "EXCLUDE_NUMBERS is not true or false"),
        ({"REQUIRE_EACH_INCLUDED_TYPE": "maybe"}, "REQUIRE_EACH_INCLUDED_TYPE"),
        ({"EXCLUDE_CHARACTERS": string.printable}, "EXCLUDE_CHARACTERS"),
        (
            {f"EXCLUDE_{name}": "true" for name in ("NUMBERS", "PUNCTUATION", "UPPERCASE", "LOWERCASE")},
            "leave fewer than 10",
        ),
    ],
)
def test_nonsense_is_named(settings: dict[str, Any], named: str) -> None:
    """An error that says which variable or tag, and what would do."""
    with pytest.raises(BadSetting, match=named) as error:
        recipe(**settings)
    assert error.value.code == "setting-invalid"
