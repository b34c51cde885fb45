"""New passwords: made here, from the operating system's CSPRNG, uniform over all that the recipe allows.

Made locally rather than by GetRandomPassword: one call and one permission less, and the alphabet is ours to know.
"""

import secrets
import string
from dataclasses import dataclass

# The classes that AWS's GetRandomPassword knows, with its characters.
CLASSES = {
    "numbers": string.digits,
    "punctuation": string.punctuation,
    "uppercase": string.ascii_uppercase,
    "lowercase": string.ascii_lowercase,
}


@dataclass(frozen=True)
class PasswordPolicy:
    """What a target can take. shortest, longest: characters. forbidden: characters that never stand in a password.

    required: the classes of which a character must appear, whatever the settings say
    """

    shortest: int
    longest: int
    forbidden: str = ""
    required: tuple[str, ...] = ()
    fewest_characters: int = 10  # an alphabet below that is a mistake in the settings

    def allows(self, password: str) -> bool:
        """Whether a password, of printable ASCII, is as the target wants it."""
        return (
            self.shortest <= len(password) <= self.longest
            and set(password) <= set("".join(CLASSES.values())) - set(self.forbidden)
            and all(set(password) & set(CLASSES[name]) for name in self.required)
        )


@dataclass(frozen=True)
class PasswordRecipe:
    """How long, out of which characters, and which classes of them (each a text) must appear."""

    length: int
    alphabet: str
    required: tuple[str, ...] = ()

    def make(self) -> str:
        """A password, uniform over all that the recipe allows: draw until one fits, move no character."""
        while True:
            password = "".join(secrets.choice(self.alphabet) for _ in range(self.length))
            if all(set(password) & set(chars) for chars in self.required):
                return password
