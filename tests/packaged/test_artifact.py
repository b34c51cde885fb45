"""What `sam build` makes: for the right machine, nothing missing, nothing too much."""

import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from scripts import artifacts
from tests.packaged.conftest import FUNCTIONS, ROOT, run, sam

LARGEST = 24_000_000  # bytes, unzipped
DRIVERS = {
    "postgres": {"psycopg2", "psycopg2_binary.libs"},
    "mysql": {"pymysql", "cryptography", "cffi", "_cffi_backend", "pycparser"},
    "redshift": {"psycopg2", "psycopg2_binary.libs"},
    "documentdb": {"pymongo", "bson", "gridfs", "dns"},
    "api_key": set[str](),  # the standard library's HTTP client
}
COMPILED = {FUNCTIONS[rotator] for rotator, driver in DRIVERS.items() if driver}
RESOURCES = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
LOGICAL_IDS = sorted(
    name
    for name, resource in RESOURCES.items()
    if not name.startswith("Fn::") and resource["Type"] in {"AWS::Serverless::Function", "AWS::Lambda::Function"}
)
SCHEMA = ROOT / "rotators" / "api_key" / "provider.schema.json"
SHARED = {"postgres": ("libpq",), "redshift": ("libpq",)}


@pytest.fixture(params=sorted(FUNCTIONS))
def artifact(request: pytest.FixtureRequest, built: Path) -> tuple[str, Path]:
    """Each rotator's name, and its function for arm64."""
    return request.param, built / FUNCTIONS[request.param]


@pytest.fixture(scope="session")
def built_x86_64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions for the other architecture, by `make build`, where no Docker engine can be reached."""
    folder = tmp_path_factory.mktemp("x86_64") / "build"
    run("make", "build", "ARCHITECTURE=x86_64", f"ARGS=--build-dir {folder}", DOCKER_HOST="unix:///nowhere")
    return folder


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_every_function_is_built(architecture: str, request: pytest.FixtureRequest) -> None:
    """Nothing that the next test passes over."""
    folder: Path = request.getfixturevalue("built" if architecture == "arm64" else "built_x86_64")
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(LOGICAL_IDS)


@pytest.mark.parametrize("logical_id", LOGICAL_IDS)
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_every_shared_object_is_for_its_architecture(
    architecture: str, logical_id: str, request: pytest.FixtureRequest
) -> None:
    """By its ELF header; the extension modules' Python by their name. Without a driver there is none."""
    folder: Path = request.getfixturevalue("built" if architecture == "arm64" else "built_x86_64")
    found = artifacts.shared_objects(folder / logical_id)
    assert bool(found) == (logical_id in COMPILED)
    assert {artifacts.architecture(path) for path in found} == ({architecture} if found else set())
    assert {artifacts.runtime(path) for path in found} - {None} == ({"python3.13"} if found else set())


def test_make_build_takes_architecture_and_runtime(tmp_path: Path) -> None:
    """ARCHITECTURE and RUNTIME go before what samconfig.toml says."""
    run("make", "build", f"ARGS=--build-dir {tmp_path}/build", "ARCHITECTURE=x86_64", "RUNTIME=python3.12")
    found = artifacts.shared_objects(tmp_path / "build")
    assert {artifacts.architecture(path) for path in found} == {"x86_64"}
    assert {artifacts.runtime(path) for path in found} - {None} == {"python3.12"}


def test_make_build_local_is_for_this_interpreter(built_local: Path) -> None:
    """What the tests run."""
    names = {artifacts.runtime(path) for path in artifacts.shared_objects(built_local)}
    assert names - {None} == {f"python3.{sys.version_info.minor}"}


def test_it_is_small(artifact: tuple[str, Path]) -> None:
    """Cold starts and reviews are short; Lambda's own limit is ten times that."""
    assert sum(path.stat().st_size for path in artifact[1].rglob("*") if path.is_file()) < LARGEST


def test_it_holds_its_own_driver_and_target_only(artifact: tuple[str, Path]) -> None:
    """No test, no other target, nothing that the runtime has already, no file that no code reads."""
    rotator, folder = artifact
    packages = {path.name.partition(".cpython")[0] for path in folder.iterdir() if not path.name.endswith(".dist-info")}
    assert packages == {"aws_lambda_powertools", "common", "rotators", "typing_extensions.py", *DRIVERS[rotator]}
    assert {path.name for path in (folder / "rotators").iterdir()} == {"__init__.py", rotator, *SHARED.get(rotator, ())}
    for ours in ("common", "rotators"):
        shipped = {path.relative_to(folder) for path in (folder / ours).rglob("*") if path.is_file()}
        assert {path.suffix for path in shipped} <= {".py", ".pem", ".json"}
        assert all((folder / path).read_bytes() == (ROOT / path).read_bytes() for path in shipped)


def test_provider_files_ship(built: Path) -> None:
    """And their schema, which the function reads when it is imported; no other function has a JSON file of ours."""
    ours = {path.relative_to(built) for name in ("common", "rotators") for path in built.glob(f"*/{name}/**/*.json")}
    sources = [*(ROOT / "rotators" / "api_key" / "providers").glob("*.json"), SCHEMA]
    assert ours == {Path("ApiKeyRotator") / path.relative_to(ROOT) for path in sources}


def test_every_module_of_common_ships(artifact: tuple[str, Path]) -> None:
    """Common is whole in every function."""
    assert {path.name for path in (artifact[1] / "common").iterdir()} == {
        path.name for path in (ROOT / "common").iterdir() if path.name != "__pycache__"
    }


def test_a_wheel_that_is_not_the_pinned_one_is_not_built(tmp_path: Path) -> None:
    """Hashes are checked: a changed one fails the build."""
    copied = shutil.copytree(
        ROOT, tmp_path / "copy", ignore=shutil.ignore_patterns(".venv", ".git", ".aws-sam", ".*_cache")
    )
    (copied / ".venv").symlink_to(ROOT / ".venv")
    requirements = copied / "rotators" / "postgres" / "requirements.txt"
    requirements.write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", requirements.read_text()))
    printed = run("make", "-C", copied, "build", fails=True)
    assert "Hash mismatch" in printed


def test_the_template_is_valid() -> None:
    """`sam validate --lint` has nothing to say: no error, no warning."""
    printed = run(sam(), "validate", "--lint")
    assert "is a valid SAM Template" in printed
    assert not re.search(r"\b[EW]\d{4}\b", printed), printed


class TestDeploy:
    """`make deploy` looks at what it would deploy first."""

    def test_what_fits_is_deployed(self, built: Path) -> None:
        """What `sam build` makes by default is what samconfig.toml says of the stack."""
        assert list(artifacts.wrong(built, artifacts.stack_parameters("default"))) == []

    def test_artifacts_of_another_architecture_are_refused(self, built: Path) -> None:
        """Said by an option, or by samconfig.toml."""
        said = artifacts.stack_parameters("default", ["Architecture=x86_64 Runtime=python3.13"])
        refused = list(artifacts.wrong(built, said))
        assert {one.partition("/")[0] for one in refused} == COMPILED
        assert all(one.endswith("is for arm64, the stack's Architecture is x86_64: run make build.") for one in refused)

    def test_artifacts_of_another_python_are_refused(self, built: Path) -> None:
        """The extension modules would not be found."""
        said = artifacts.stack_parameters("default", ["Architecture=arm64", "Runtime=python3.12"])
        assert {one.rpartition(" is for ")[2] for one in artifacts.wrong(built, said)} == {
            "python3.13, the stack's Runtime is python3.12: run make build."
        }

    def test_a_stack_of_unknown_architecture_is_refused(self, built: Path) -> None:
        """A section that says nothing: a stack keeps its old parameters then, whatever they are."""
        said = artifacts.stack_parameters("default", ["Runtime=python3.13"])
        assert len([one for one in artifacts.wrong(built, said) if "says the stack's Architecture" in one]) == 1

    def test_each_section_is_a_stack_of_its_own(self, tmp_path: Path) -> None:
        """What is built for comes from the section that ENV names, unless RUNTIME or ARCHITECTURE say otherwise."""
        file = tmp_path / "samconfig.toml"
        prod = '[prod.deploy.parameters]\nparameter_overrides = "Runtime=python3.12 Architecture=x86_64 AdminSecrets=a,b"\n'
        file.write_text((ROOT / "samconfig.toml").read_text() + prod)
        default, other = (artifacts.stack_parameters(env, file=file) for env in ("default", "prod"))
        assert artifacts.wanted({}, default) == ("python3.13", "arm64")
        assert artifacts.wanted({}, other) == ("python3.12", "x86_64")
        assert artifacts.wanted({"ARCHITECTURE": "arm64"}, other) == ("python3.12", "arm64")
        assert other["AdminSecrets"] == "a,b"

    def test_what_lambda_has_not_is_refused(self) -> None:
        """A slip in a name, or a Python that cannot load the wheels."""
        for settings in ({"ARCHITECTURE": "x86-64"}, {"RUNTIME": "python3.11"}):
            with pytest.raises(SystemExit, match="is not one of"):
                artifacts.wanted(settings, {})

    def test_no_default_is_mangled_on_its_way(self) -> None:
        """`sam` quotes parameters without escaping: no default may hold a quote or a backslash."""
        template = (ROOT / "template.yaml").read_text()
        defaults = re.findall(r"Default: (.*?)[},\n]", template[: template.index("\nConditions:")])
        assert len(defaults) > 10
        assert not [one for one in defaults if re.search(r"""["'\\]""", one.removeprefix('"').removesuffix('"'))]

    def test_nothing_built_is_refused(self, tmp_path: Path) -> None:
        """With what to do."""
        assert list(artifacts.wrong(tmp_path, {})) == ["Nothing is built: run make build."]

    def test_an_unknown_section_is_refused(self) -> None:
        """A slip in STACK builds nothing, rather than the defaults."""
        with pytest.raises(SystemExit, match="has no section prdo"):
            artifacts.stack_parameters("prdo")

    def test_an_empty_value_is_refused(self, tmp_path: Path) -> None:
        """SAM's parser does not take one: its complaint, no traceback."""
        file = tmp_path / "samconfig.toml"
        file.write_text('version = 0.1\n[default.deploy.parameters]\nparameter_overrides = ["AdminSecrets="]\n')
        with pytest.raises(SystemExit, match="section default, parameter_overrides: AdminSecrets="):
            artifacts.stack_parameters("default", file=file)

    @pytest.fixture
    def copied(self, tmp_path: Path) -> Path:
        """The Makefile's folder with a second section, artifacts for arm64, and a `sam` that prints what it is told."""
        shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Makefile", "samconfig.toml", "template.yaml", "requirements-dev.txt"):
            shutil.copy2(ROOT / name, tmp_path)
        with (tmp_path / "samconfig.toml").open("a") as file:
            file.write(
                '[prod.deploy.parameters]\nparameter_overrides = ["Runtime=python3.12", "Architecture=x86_64"]\n'
            )
        binaries = tmp_path / ".venv" / "bin"
        binaries.mkdir(parents=True)
        for name, script in (("python", f'exec {sys.executable} "$@"'), ("sam", 'echo "sam[$*]"')):
            (binaries / name).write_text(f"#!/bin/sh\n{script}\n")
            (binaries / name).chmod(0o755)
        (tmp_path / ".venv" / ".ready").touch()
        return tmp_path

    @pytest.mark.parametrize(
        ("verb", "told"),
        [
            ("build", "build --config-env default --build-in-source x --parameter-overrides Runtime=python3.13 Architecture=arm64"),
            ("build STACK=prod", "build --config-env prod --build-in-source x --parameter-overrides Runtime=python3.12 Architecture=x86_64"),
            ("build ARCHITECTURE=x86_64", "build --config-env default --build-in-source x --parameter-overrides Runtime=python3.13 Architecture=x86_64"),
            ("build-local RUNTIME=python3.12", "build --build-dir .aws-sam/local x"),
            ("deploy", "deploy --config-env default x"),
            ("deploy STACK=prod", "Not deployed. PostgresRotator/x.so is for arm64, the stack's Architecture is x86_64: run make build."),
            ("deploy --parameter-overrides Architecture=x86_64", "Not deployed. Neither samconfig.toml's section nor --parameter-overrides says the stack's Runtime. (1 more like it.)"),
            ("deploy --guided", "Not deployed. make build and make deploy read samconfig.toml alone (STACK names the section): edit that, instead of --guided or --config-file."),
            ("deploy --config-file my.toml", "Not deployed. make build and make deploy read samconfig.toml alone (STACK names the section): edit that, instead of --guided or --config-file."),
        ],
    )  # fmt: skip
    def test_make_tells_sam(self, copied: Path, verb: str, told: str) -> None:
        """Which section, which platform; and `sam deploy` is reached only where the artifacts fit."""
        built = copied / ".aws-sam" / "build" / "PostgresRotator"
        built.mkdir(parents=True)
        (built.parent / "template.yaml").touch()
        (built / "x.so").write_bytes(b"\x7fELF" + b"\0" * 14 + b"\xb7\0")
        words = verb.split(" ")
        options = [word for word in words if "=" in word and not word.startswith("Architecture")]
        more = " ".join(word for word in words[1:] if word not in options) or "x"
        printed = run("make", "-C", copied, words[0], *options, f"ARGS={more}", fails=told.startswith("Not"))
        assert (f"sam[{told}]" if not told.startswith("Not") else told) in printed
        assert printed.count("sam[") == (0 if told.startswith("Not") else 1)


def test_the_docs_say_what_is_inside(built: Path) -> None:
    """Each package with its version, and what it takes; the whole too."""
    page = (ROOT / "docs" / "deploying.md").read_text()

    said = re.findall(r"^\| `([a-z0-9-]+)` ([0-9.]+) \|.*\| ([0-9.]+) MB \| ([0-9]+) % \|$", page, re.MULTILINE)
    told = {f"{name.replace('-', '_')}-{version}": (float(size), int(share)) for name, version, size, share in said}
    assert set(told) == {path.stem for path in built.glob("*/*.dist-info")}
    for function in (*FUNCTIONS.values(), "OverdueWatch"):
        whole = _megabytes(path for path in (built / function).rglob("*") if path.is_file())
        section = page[page.index(f"### `{function}`") :].partition("\n### ")[0]
        assert float(section.partition(" MB unzipped")[0].split()[-1]) == pytest.approx(whole, rel=0.02)
        for package in (built / function).glob("*.dist-info"):
            recorded = [line.split(",")[0] for line in (package / "RECORD").read_text().splitlines()]
            own = _megabytes(path for name in recorded if (path := built / function / name).exists())
            size, share = told[package.stem]
            assert size == pytest.approx(own, abs=0.11), package.stem
            if package.stem.partition("-")[0] in section:
                assert share == pytest.approx(100 * own / whole, abs=1), package.stem
    (wheel,) = built.glob("PostgresRotator/psycopg2_binary-*.dist-info/WHEEL")
    assert "cp313-cp313-manylinux_2_28_aarch64" in page
    assert "Tag: cp313-cp313-manylinux_2_28_aarch64" in wheel.read_text()


def _megabytes(files: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in files) / 1e6
