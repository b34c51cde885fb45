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
    """What a target can take. shortest, longest: characters. forbidden: characters that never stand in a password."""

    shortest: int
    longest: int
    forbidden: str = ""
    fewest_characters: int = 10  # an alphabet below that is a mistake in the settings


@dataclass(frozen=True)
class PasswordRecipe:
    """How long, out of which classes of characters (each a text), and whether each class must appear."""

    length: int
    classes: tuple[str, ...]
    each_class: bool = True

    def make(self) -> str:
        """A password, uniform over all that the recipe allows: draw until one fits, move no character."""
        alphabet = "".join(self.classes)
        while True:
            password = "".join(secrets.choice(alphabet) for _ in range(self.length))
            if not self.each_class or all(set(password) & set(chars) for chars in self.classes):
                return password
