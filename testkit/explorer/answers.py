"""What a call was answered, as a plain value: it is kept of a delivery that hangs, and given once more when it goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.errors import ChangeForbidden, RotationError


@dataclass(frozen=True)
class Answer:
    """value: texts, truths, None, and tuples of them; or the proven account of an error. error, code: where one was raised."""

    value: Any
    error: type[RotationError] | None = None
    code: str = ""

    def given(self) -> Any:
        """The value, or the error anew."""
        if self.error is None:
            return self.value
        if issubclass(self.error, ChangeForbidden):
            raise self.error(self.code, "Refused.", "See the trace.", proven=self.value)
        raise self.error(self.code, "Refused.", "See the trace.")


def answered(act: Callable[[], Any]) -> Answer:
    """Do it, and keep what comes of it."""
    try:
        return Answer(act())
    except RotationError as error:
        return Answer(getattr(error, "proven", None), type(error), error.code)
