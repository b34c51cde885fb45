"""What a deployment says by environment and a platform team by tag; a tag wins.

The environment's names are those of AWS's own rotation functions, so a function of theirs can be replaced by ours. What
is set but makes no sense is an error that names it, at the step where it is first used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from common.errors import BadSetting
from common.password import CLASSES, PasswordPolicy, PasswordRecipe
from common.secret import Secret

_TRUE, _FALSE = ("true", "1", "yes", "y"), ("false", "0", "no", "n", "")
_CLASS_VARIABLES = {f"EXCLUDE_{name.upper()}": name for name in CLASSES}
# What the tag rotation:password-profile may say: the characters of each class that it keeps.
PROFILES: Mapping[str, Mapping[str, str]] = {
    "default": CLASSES,
    "alphanumeric": {name: chars for name, chars in CLASSES.items() if name != "punctuation"},
    "url-safe": {**CLASSES, "punctuation": "-._~"},  # RFC 3986, "unreserved"
}


class Named(Protocol):
    """Whatever is chosen by its name."""

    @property
    def name(self) -> str:
        """Such as "single-user"."""
        ...


S = TypeVar("S", bound=Named)


@dataclass(frozen=True)
class Settings:
    """The settings that hold for one secret: its tags over the function's environment."""

    tags: Mapping[str, str]
    environment: Mapping[str, str] = field(repr=False)  # it holds the credentials of the function, too

    def choose(self, strategies: Sequence[S], value: Secret | None) -> S | None:
        """The strategy for a secret with this value.

        The one that the tag `rotation:strategy` names, else ROTATION_STRATEGY, else alternating-users where the value
        names an admin secret and the function has that strategy, else the first. None where it depends on the value,
        and that is not at hand.
        """
        by_name = {strategy.name: strategy for strategy in strategies}
        for source, name in self._given("rotation:strategy", "ROTATION_STRATEGY"):
            if name not in by_name:
                raise _nonsense(source, f"one of the strategies of this function: {', '.join(by_name)}")
            return by_name[name]
        alternating = by_name.get("alternating-users")
        if alternating is None or (value is not None and value.admin is None):
            return strategies[0]
        return alternating if value is not None else None

    def reconciles(self, user: str) -> bool:
        """W6: whether the tag `rotation:reconcile` names this very user, whom the admin may then reset."""
        return self.tags.get("rotation:reconcile") == user

    def username_limit(self, longest: int) -> int:
        """How long a user's name may be: USERNAME_CHARACTER_LIMIT, else what the target takes."""
        text = self.environment.get("USERNAME_CHARACTER_LIMIT")
        if not text:
            return longest
        if not (text.isdecimal() and 1 <= int(text) <= longest):
            raise _nonsense("The environment variable USERNAME_CHARACTER_LIMIT", f"a number from 1 to {longest}")
        return int(text)

    def password_recipe(self, policy: PasswordPolicy) -> PasswordRecipe:
        """How a new password for a target with this policy is made."""
        classes = self._classes(policy)
        each = self._flag("REQUIRE_EACH_INCLUDED_TYPE", default=True)
        required = [chars for name, chars in classes.items() if each or name in policy.required]
        return PasswordRecipe(self._length(policy), "".join(classes.values()), tuple(required))

    def _length(self, policy: PasswordPolicy) -> int:
        for source, text in self._given("rotation:password-length", "PASSWORD_LENGTH"):
            if not (text.isdecimal() and policy.shortest <= int(text) <= policy.longest):
                raise _nonsense(source, f"a number from {policy.shortest} to {policy.longest}")
            return int(text)
        return max(policy.shortest, min(32, policy.longest))

    def _classes(self, policy: PasswordPolicy) -> dict[str, str]:
        """{class: its characters that may stand in a password}."""
        excluded = (self.environment.get("EXCLUDE_CHARACTERS") or "/@\"'\\") + policy.forbidden
        kept = {name: "".join(c for c in chars if c not in excluded) for name, chars in self._profile().items()}
        classes = {name: chars for name, chars in kept.items() if chars}
        if missing := [name for name in policy.required if name not in classes]:
            raise BadSetting(
                "setting-invalid",
                f"EXCLUDE_CHARACTERS and the like leave no {' and no '.join(missing)}, which this server demands.",
                "Exclude less.",
            )
        if len("".join(classes.values())) < policy.fewest_characters:
            raise BadSetting(
                "setting-invalid",
                f"EXCLUDE_CHARACTERS and the like leave fewer than {policy.fewest_characters} characters for a password.",
                "Exclude fewer characters.",
            )
        return classes

    def _profile(self) -> Mapping[str, str]:
        name = self.tags.get("rotation:password-profile")
        if not name:
            return {
                kind: CLASSES[kind]
                for variable, kind in _CLASS_VARIABLES.items()
                if not self._flag(variable, default=False)
            }
        if name not in PROFILES:
            raise _nonsense("The tag rotation:password-profile", f"one of {', '.join(PROFILES)}")
        return PROFILES[name]

    def _flag(self, variable: str, *, default: bool) -> bool:
        text = self.environment.get(variable)
        if text is None:
            return default
        if text.lower() not in _TRUE + _FALSE:
            raise _nonsense(f"The environment variable {variable}", "true or false")
        return text.lower() in _TRUE

    def _given(self, tag: str, variable: str) -> list[tuple[str, str]]:
        """What is set, as (source, text), the tag first."""
        found = [
            (f"The tag {tag}", self.tags.get(tag)),
            (f"The environment variable {variable}", self.environment.get(variable)),
        ]
        return [(source, text) for source, text in found if text]


def _nonsense(source: str, expected: str) -> BadSetting:
    return BadSetting("setting-invalid", f"{source} is not {expected}.", "Correct or remove it.")
