"""The four steps as the strategies do them whose passwords are made here: no server hears of one before it is staged."""

from abc import ABC, abstractmethod

from common import clock
from common.patience import retried
from common.rotation import Rotation, Work
from common.secret import Secret
from common.settings import Settings
from common.target import TakesPasswords


class ChoosesPassword(ABC):
    """Four small methods, and the steps that are made of them."""

    target: TakesPasswords

    @abstractmethod
    def propose(self, current: Secret, settings: Settings, name: str) -> Secret:
        """createSecret: the value to stage, called `name` in errors. Nothing is changed anywhere."""

    @abstractmethod
    def judge(self, current: Secret, pending: Secret) -> None:
        """G5: NotRotatable where pending is not what `propose` could have made of current."""

    @abstractmethod
    def accept(self, rotation: Rotation) -> str:
        """setSecret: make the server accept pending; answers the number of the case that applied."""

    @abstractmethod
    def prove(self, pending: Secret) -> None:
        """testSecret: pending logs in, and has what it can show alone."""

    def create(self, work: Work) -> None:
        """Propose, stage."""
        current = self._read(work, "AWSCURRENT")
        pending = self.propose(current, work.settings, f"AWSPENDING of {work.secret.arn}")
        clock.before_change()  # what is stored late would take AWSPENDING from the next rotation
        work.stage(pending)

    def set(self, work: Work) -> str:
        """G5, then accept."""
        current, pending = self._read(work, "AWSCURRENT"), self._read(work, "AWSPENDING")
        self.judge(current, pending)
        rotation = Rotation(work, current, pending, self.target)
        return retried(lambda: self.accept(rotation))

    def test(self, work: Work) -> None:
        """Prove."""
        pending = self._read(work, "AWSPENDING")
        retried(lambda: self.prove(pending))

    def finish(self, work: Work) -> None:
        """One call."""
        clock.before_change()  # the next rotation may have told the server of its own password by now
        work.promote()

    def tidy(self, work: Work) -> None:  # noqa: B027  not abstract: none of them has anything left
        """Nothing is left."""

    def _read(self, work: Work, stage: str) -> Secret:
        """The value that holds a label, its fields checked."""
        value = work.read(stage)
        self.target.account(value)
        return value

    def _with_new_password(self, current: Secret, settings: Settings, name: str, **fields: object) -> Secret:
        """Current with a password that the settings and the server allow, and with these fields."""
        (field,) = self.target.credential
        password = settings.password_recipe(self.target.password_policy).make()
        return current.with_fields(name, **{**fields, field: password})
