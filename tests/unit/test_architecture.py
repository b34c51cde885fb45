"""The rules that keep the project small and readable, kept by tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMON = sorted((ROOT / "common").glob("*.py"))
SHIPPED = [*COMMON, *sorted((ROOT / "rotators").rglob("*.py"))]
DRIVERS = {"psycopg2", "pymysql", "pymongo"}
# handler → engine → strategy → rotation → store → guard → secret: who may import whom in common, highest first.
LAYERS = ["handler", "engine", "issued_key", "handmade", "holdings", "dual_password", "strategy", "chosen_password", "logins", "rotation", "patience", "admin", "endpoints", "store", "guard", "target", "settings", "password", "network", "tls", "event", "secret", "accounts", "bounded", "clock", "redaction", "errors"]  # fmt: skip


def imports(path: Path) -> set[str]:
    """The modules that a file imports, dotted."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "common" else {str(node.module)}
    return found


def name(path: Path) -> str:
    """How a file is called in a test's id."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_what_ships_imports_nothing_that_does_not(path: Path) -> None:
    """rotators → common; testkit, demo and tests → both; never back."""
    assert not {module.split(".")[0] for module in imports(path)} & {"testkit", "demo", "tests", "scripts"}


@pytest.mark.parametrize("path", COMMON, ids=name)
def test_common_knows_no_driver_and_no_target(path: Path) -> None:
    """Whatever the server."""
    assert not {module.split(".")[0] for module in imports(path)} & {*DRIVERS, "rotators"}


@pytest.mark.parametrize("path", COMMON, ids=name)
def test_common_imports_downwards(path: Path) -> None:
    """Each module knows only what lies below it."""
    if path.stem == "__init__":
        return
    below = set(LAYERS[LAYERS.index(path.stem) + 1 :])
    assert {module.split(".")[1] for module in imports(path) if module.startswith("common.")} <= below


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_only_the_store_speaks_to_secrets_manager(path: Path) -> None:
    """accounts makes boto's clients; the store asks Secrets Manager, endpoints RDS; strategies and targets do not."""
    speaks = bool({module.split(".")[0] for module in imports(path)} & {"boto3", "botocore"})
    assert speaks == (name(path) in {"common/accounts.py", "common/store.py", "common/endpoints.py"})


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_modules_are_short(path: Path) -> None:
    """What does not fit on a few screens does more than one thing."""
    assert len(path.read_text().splitlines()) <= 260


def _codes() -> Iterator[str]:
    """Every code that an error of ours may carry: the first argument of its making, or of a table of such."""
    for path in SHIPPED:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.fullmatch("[a-z]+(-[a-z]+)+", node.value)
            ):
                yield node.value


NO_CODES = {
    "alternating-users",
    "single-user",
    "dual-password",
    "issued-key",
    "aurora-mysql",
    "url-safe",
    "transfer-encoding",
    "content-length",
    "aurora-postgresql",
    "default-aws-iam-role",
    "redshift-serverless",
    "scram-sha-256",
    "verify-full",
}


def test_every_error_code_is_in_the_docs() -> None:
    """docs/errors.md is the table of codes: none is missing, none is made up."""
    documented = set(re.findall(r"^\| `([a-z-]+)`", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE))
    assert documented - {"unexpected"} == set(_codes()) - NO_CODES


@pytest.mark.parametrize(
    "case",
    [
        "G1",
        "G2",
        "G3",
        "G4",
        "G5",
        "S1",
        "S1b",
        "S2",
        "S3",
        "S4",
        "S5",
        "S6",
        "A1",
        "A2",
        "A3",
        "A4",
        "D1",
        "D2",
        "D3",
        "D4",
        "D5",
        "K1",
        "K2",
        "K3",
        "K4",
        "W1",
        "W2",
        "W3",
        "W4",
        "W5",
        "W6",
        "W7",
    ],
)
def test_each_numbered_case_stands_in_code_tests_and_docs(case: str) -> None:
    """A reader finds any promise's code in a minute, by its number."""
    word = re.compile(rf"\b{case}\b")
    assert any(word.search(path.read_text()) for path in SHIPPED)
    assert word.search((ROOT / "docs" / "how-it-works.md").read_text())
    tests = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    assert any(word.search(text) or f"test_{case.lower()}_" in text or f"Test{case}" in text for text in tests)


def test_the_composition_of_a_target_without_the_ability_is_a_type_error(tmp_path: Path) -> None:
    """SingleUser over a target that cannot change passwords does not pass mypy."""
    from mypy import api  # noqa: PLC0415  slow, and needed here only

    program = """
from common.secret import Account, Secret
from common.strategy import SingleUser
class OnlyChecks:
    name = "x"
    def account(self, secret: Secret) -> Account: raise NotImplementedError
    def check(self, login: Secret) -> None: ...
SingleUser(OnlyChecks())
"""
    source = tmp_path / "composition.py"
    source.write_text(program)
    output, _, code = api.run(["--strict", "--cache-dir", str(tmp_path / "cache"), str(source)])
    assert code == 1
    assert 'Argument 1 to "SingleUser" has incompatible type "OnlyChecks"; expected "ChangesPassword"' in output


def test_a_service_with_keys_composes_with_its_own_strategy_only(tmp_path: Path) -> None:
    """No clones where a provider file sets keys, no issued keys where a database has passwords."""
    from mypy import api  # noqa: PLC0415  slow, and needed here only

    program = """
from common.issued_key import IssuedKey
from common.strategy import AlternatingUsers, SingleUser
from rotators.api_key.provider import Provider
from rotators.api_key.target import ChoosingService, IssuingService
from rotators.postgres.target import Postgres
provider = Provider("x", {})
SingleUser(ChoosingService(provider))
IssuedKey(IssuingService(provider))
AlternatingUsers(ChoosingService(provider))
IssuedKey(Postgres())
SingleUser(IssuingService(provider))
"""
    source = tmp_path / "composition.py"
    source.write_text(program)
    output, _, code = api.run(["--strict", "--cache-dir", str(tmp_path / "cache"), str(source)])
    assert code == 1
    refused = re.findall(r'Argument 1 to "(\w+)" has incompatible type "(\w+)"', output)
    assert refused == [
        ("AlternatingUsers", "ChoosingService"),
        ("IssuedKey", "Postgres"),
        ("SingleUser", "IssuingService"),
    ]
