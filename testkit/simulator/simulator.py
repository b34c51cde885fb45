"""The simulator: an HTTP server that speaks AWS's API, functions by their ARN, rotations in the background."""

import io
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend, secretsmanager_backends
from moto.secretsmanager.responses import SecretsManagerResponse
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from testkit.simulator.backend import SimulatedBackend, describe_secret, list_secret_version_ids
from testkit.simulator.calls import ACCOUNT, REGION, Call, account_of, call_of, denied
from testkit.simulator.clock import Clock
from testkit.simulator.functions import Function, PythonFunction
from testkit.simulator.rotations import Rotation
from testkit.simulator.schedules import parse_rules
from testkit.simulator.versions import CURRENT, PENDING, Value

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

App = Callable[..., Iterable[bytes]]  # of WSGI
TRIES = 3  # the service's own number is not documented


@dataclass(frozen=True)
class TrailEvent:
    """What CloudTrail records: RotationStarted, RotationSucceeded, RotationFailed, and the same with Test before it.

    And RotationAbandoned, where a value put by hand has taken AWSPENDING away. time: the simulator's, as `now` has it
    """

    name: str
    arn: str
    time: float
    error: str | None = None


class Simulator:
    """Secrets Manager on this machine. One at a time in a process: moto keeps its state in the process.

    tries: how often a rotation is attempted in all. pause: called before each step, for a demonstration's sake.
    stale_reads: how many reads of a secret in each step are answered as of one step before, as the service's reads are
    eventually consistent. It may be changed at any time. address: where it listens; port 0 is any that is free. clock:
    seconds since the epoch; `advance` moves it
    """

    def __init__(
        self,
        *,
        tries: int = TRIES,
        pause: Callable[[], None] = lambda: None,
        stale_reads: int = 0,
        address: tuple[str, int] = ("127.0.0.1", 0),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tries, self.pause, self.stale_reads = tries, pause, stale_reads
        self._address, self._clock = address, Clock(clock)
        self.calls: list[Call] = []
        self.other_calls: list[Call] = []  # of STS, RDS and the like
        self.events: list[TrailEvent] = []
        self.rotations: list[Rotation] = []
        self._functions: dict[str, Function] = {}
        self._workers: dict[str, threading.Thread] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._patch = mock.patch.multiple(
            SecretsManagerResponse, describe_secret=describe_secret, list_secret_version_ids=list_secret_version_ids
        )
        self._server: BaseWSGIServer
        self._client: SecretsManagerClient | None = None

    def __enter__(self) -> Self:
        self._patch.start()
        backend = type("Backend", (SimulatedBackend,), {"service": self})
        secretsmanager_backends.clear()
        secretsmanager_backends.backend = backend
        # moto's dispatcher of services takes as long for each call as the call itself, and ours are of one service.
        app = self._recorded(create_backend_app("secretsmanager"), DomainDispatcherApplication(create_backend_app))
        self._server = make_server(*self._address, app, threaded=True, request_handler=_Quiet)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.wait()
        self._server.shutdown()
        self._server.server_close()
        secretsmanager_backends.clear()
        secretsmanager_backends.backend = SecretsManagerBackend
        self._patch.stop()

    @property
    def endpoint(self) -> str:
        """The URL that clients call, as SECRETS_MANAGER_ENDPOINT."""
        return f"http://{self._address[0]}:{self._server.server_port}"

    def client(self, **options: Any) -> "SecretsManagerClient":
        """A boto client of the simulator; without options always the same one, as making one takes a while."""
        if not options and self._client is not None:
            return self._client
        given = {"region_name": REGION, "aws_access_key_id": "test", "aws_secret_access_key": "test", **options}
        made = boto3.client("secretsmanager", endpoint_url=self.endpoint, **given)
        if not options:
            self._client = made
        return made

    def client_in(self, account: str, role: str = "reader") -> "SecretsManagerClient":
        """A boto client in another account: with the credentials that STS gives for a role there."""
        sts = boto3.client("sts", REGION, endpoint_url=self.endpoint, aws_access_key_id="t", aws_secret_access_key="t")
        given = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName="test")["Credentials"]
        return self.client(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def add_function(self, name: str, handler: Callable[[Any, Any], object], timeout: float = 30) -> PythonFunction:
        """A Python handler as a Lambda function; its `arn` goes into RotateSecret."""
        function = PythonFunction(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}", handler, timeout)
        self.add(function)
        return function

    def add(self, function: Function) -> None:
        """Any other function, such as one in a process of its own."""
        self._functions[function.arn] = function

    def rotate(self, secret_id: str, **options: Any) -> Rotation:
        """RotateSecret by its API, by somebody of the secret's account; then wait for what it started."""
        account = account_of({"SecretId": secret_id}) or ACCOUNT
        client = self.client() if account == ACCOUNT else self.client_in(account)
        token = client.rotate_secret(SecretId=secret_id, **options)["VersionId"]
        self.wait()
        return next(rotation for rotation in reversed(self.rotations) if rotation.token == token)

    def seed(self, event: Mapping[str, str], value: str, function_arn: str) -> None:
        """The secret as it is when this event comes: under the event's ARN, AWSPENDING on its token, rotation on.

        The version of the token is empty, as RotateSecret leaves it; for testSecret it is a copy of AWSCURRENT, as a
        test rotation's is
        """
        _, _, _, region, account, _, name = event["SecretId"].split(":")
        name = name.rpartition("-")[0]
        backend = _backend(account, region)
        backend.create_secret(
            name,
            None,
            None,
            description=None,
            tags=[],
            kms_key_id=None,
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        secret = backend.primary(name)
        secret.arn = event["SecretId"]
        backend.enable(secret, function_arn, parse_rules({"AutomaticallyAfterDays": 1}, self.now()))
        backend.versions(secret).put(str(uuid.uuid4()), Value(value), [CURRENT])
        self.stage(event)

    def stage(self, event: Mapping[str, str]) -> None:
        """AWSPENDING on this event's token, in a secret that is there, as when the service is about to send it."""
        _, _, _, region, account, _, name = event["SecretId"].split(":")
        backend = _backend(account, region)
        secret = backend.primary(name.rpartition("-")[0])
        current = backend.versions(secret).holder(CURRENT)
        is_test = event["Step"] == "testSecret"
        value = current.value if is_test and current else None
        backend.versions(secret).stage_pending(event["ClientRequestToken"], value)
        backend.show(secret)

    def now(self) -> float:
        """The simulator's time: seconds since the epoch."""
        return self._clock.now()

    def advance(self, by: timedelta) -> None:
        """Let time pass: each rotation whose window opens meanwhile runs to its end there, at the window's start.

        Only here do schedules rotate: not by themselves, as real time goes by
        """
        self.wait()
        until = self.now() + by.total_seconds()
        while (first := self._first_due()) and first[0] <= until:
            opens, secret, backend = first
            self._clock.move_to(opens)
            with self._lock:
                backend.rotate_on_schedule(secret)
            self.wait()
        self._clock.move_to(until)

    def _first_due(self) -> tuple[float, FakeSecret, SimulatedBackend] | None:
        """The secret whose window opens first, of all accounts and regions; by name where several do."""
        with self._lock:
            backends = [backend for _, _, backend in secretsmanager_backends.iter_backends()]
            due = [
                (opens, secret, one)
                for one in backends
                if isinstance(one, SimulatedBackend)
                for opens, secret in one.due()
            ]
        return min(due, key=lambda entry: (entry[0], entry[1].name), default=None)

    def wait(self) -> None:
        """Return when no rotation is running."""
        for worker in list(self._workers.values()):
            worker.join()

    def calls_by(self, user_agent: str) -> list[str]:
        """The operations that a client with this word in its user agent has called, in order."""
        return [call.operation for call in self.calls if user_agent in call.user_agent]

    def _before_step(self, backend: SimulatedBackend, secret: FakeSecret, rotation: Rotation) -> bool:
        """Pause; False where no further step is to be called: cancelled, abandoned, or the simulator is closing."""
        self.pause()
        backend.versions(secret).begin_step(self.stale_reads)
        return not (self._closing.is_set() or rotation.abandoned or not secret.rotation_enabled)

    # What the backend asks of us.

    def knows(self, function_arn: str) -> bool:
        """Whether there is such a function."""
        return function_arn in self._functions

    def start(self, backend: SimulatedBackend, secret: FakeSecret, token: str, *, test: bool) -> None:
        """Rotate, or test the rotation, in the background; nothing where this secret is being rotated already."""
        with self._lock:
            running = self._workers.get(secret.arn)
            if running is not None and running.is_alive():
                last = next(one for one in reversed(self.rotations) if one.arn == secret.arn)
                if last.succeeded is None:
                    return
            run = self._test if test else self._rotate
            worker = threading.Thread(target=run, args=(backend, secret, token), daemon=True)
            self._workers[secret.arn] = worker
            worker.start()

    def abandoned(self, secret: FakeSecret) -> None:
        """A value that was put by hand takes AWSPENDING away: no further step is called, where it is running still."""
        rotation = next((one for one in reversed(self.rotations) if one.arn == secret.arn), None)
        if rotation is not None and rotation.succeeded is None:
            rotation.abandoned = True
        self._record("RotationAbandoned", secret)

    def _rotate(self, backend: SimulatedBackend, secret: FakeSecret, token: str) -> None:
        """A rotation: the steps in order, the whole again with the same token where one fails."""
        rotation = Rotation(secret.arn, token)
        self.rotations.append(rotation)
        function = self._functions[secret.rotation_lambda_arn]
        self._record("RotationStarted", secret)
        for number in range(1, self.tries + 1):
            done = rotation.attempt(number, function, lambda: self._before_step(backend, secret, rotation))
            if done is None:
                break
            error = rotation.error if not done else self._unfinished(backend, secret)
            if error is None:
                secret.last_rotation_date = int(self.now())
                backend.reschedule(secret)
                self._record("RotationSucceeded", secret)
                rotation.succeeded = True
                return
            self._record("RotationFailed", secret, error)
        rotation.succeeded = False

    def _test(self, backend: SimulatedBackend, secret: FakeSecret, token: str) -> None:
        """RotateImmediately=false: testSecret alone, on a version that is removed afterwards."""
        rotation = Rotation(secret.arn, token, steps=("testSecret",))
        self.rotations.append(rotation)
        self._record("TestRotationStarted", secret)
        function = self._functions[secret.rotation_lambda_arn]
        rotation.succeeded = bool(rotation.attempt(1, function, lambda: self._before_step(backend, secret, rotation)))
        backend.versions(secret).remove(token)
        backend.show(secret)
        self._record("TestRotationSucceeded" if rotation.succeeded else "TestRotationFailed", secret, rotation.error)

    def _unfinished(self, backend: SimulatedBackend, secret: FakeSecret) -> str | None:
        """Why a rotation whose steps all returned has not ended well; None where it has."""
        versions = backend.versions(secret)
        pending = versions.holder(PENDING)
        if pending is None or pending is versions.holder(CURRENT):
            return None
        return "The function has returned from finishSecret, and AWSPENDING is not on the version of AWSCURRENT."

    def _record(self, name: str, secret: FakeSecret, error: str | None = None) -> None:
        self.events.append(TrailEvent(name, secret.arn, self.now(), error))

    def _recorded(self, secrets: App, others: App) -> App:
        """Both with every call noted, those to Secrets Manager one at a time: the model is not made for two threads."""

        def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            noted = call_of(environ, body)
            if noted.service != "secretsmanager":
                self.other_calls.append(noted)
                return others(environ, start_response)
            with self._lock:
                self.calls.append(noted)
                if account_of(noted.parameters) not in (None, noted.account):
                    return denied(noted, start_response)
                return list(secrets(environ, start_response))

        return call


def _backend(account: str, region: str) -> SimulatedBackend:
    backend = secretsmanager_backends[account][region]
    assert isinstance(backend, SimulatedBackend)
    return backend


class _Quiet(WSGIRequestHandler):
    """No line on stderr for each request."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        pass
