"""Refuses to deploy what was built for another architecture or Python than the stack's: `make deploy` runs it first.

    python -m scripts.artifacts [options of sam deploy]

What a function was built for is read from its shared objects: their ELF header names the machine, the name of each
extension module the Python.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from samcli.cli.types import CfnParameterOverridesType
from samcli.lib.config.samconfig import SamConfig

ROOT = Path(__file__).parents[1]
BUILT = ROOT / ".aws-sam" / "build"
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}  # e_machine of the ELF specification


def shared_objects(folder: Path) -> list[Path]:
    """Every shared object below the folder: extension modules, and the libraries that they bring."""
    return sorted(path for path in folder.rglob("*") if re.search(r"\.so(\.\d+)*$", path.name))


def architecture(shared_object: Path) -> str:
    """What it was compiled for, in Lambda's words."""
    with shared_object.open("rb") as file:
        header = file.read(20)
    machine = int.from_bytes(header[18:20], "little")
    return MACHINES.get(machine, f"ELF machine {machine}") if header[:4] == b"\x7fELF" else "no ELF file"


def runtime(shared_object: Path) -> str | None:
    """The Python that an extension module is for, in Lambda's words; None for what any Python can load."""
    found = re.search(r"\.cpython-3(\d+)-", shared_object.name)
    return f"python3.{found[1]}" if found else None


def stack_parameters(arguments: Sequence[str]) -> dict[str, str]:
    """The parameters that `sam deploy` gives the stack, from its options, else from samconfig.toml."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--config-env", default="default")
    parser.add_argument("--config-file", default="samconfig.toml")
    parser.add_argument("--parameter-overrides", nargs="+")
    given, _ = parser.parse_known_args(arguments)
    config = SamConfig(ROOT, filename=given.config_file)
    if not config.exists():
        raise SystemExit(f"{given.config_file} is not there.")
    try:
        parameters = config.get_all(["deploy"], "parameters", env=given.config_env)
    except KeyError:
        raise SystemExit(f"{given.config_file} has no section for the environment {given.config_env}.") from None
    said = given.parameter_overrides or parameters.get("parameter_overrides") or []
    words = (said,) if isinstance(said, str) else tuple(said)
    return dict(CfnParameterOverridesType().convert(words, None, None))


def wrong(built: Path, parameters: dict[str, str]) -> Iterator[str]:
    """What speaks against deploying these artifacts with these parameters."""
    if not (built / "template.yaml").exists():
        yield "Nothing is built: run make build."
        return
    for name in ("Architecture", "Runtime"):
        if name not in parameters:
            yield f"Neither samconfig.toml (for this environment) nor --parameter-overrides says the stack's {name}."
    for path in shared_objects(built):
        found = {"Architecture": architecture(path), "Runtime": runtime(path)}
        for name, value in found.items():
            if name in parameters and value not in {None, parameters[name]}:
                yield f"{path.relative_to(built)} is for {value}, the stack's {name} is {parameters[name]}."


def main(arguments: Sequence[str]) -> None:
    """Return where all fits; end with what does not otherwise."""
    complaints = list(wrong(BUILT, stack_parameters(arguments)))
    if complaints:
        more = f" ({len(complaints) - 1} more like it.)" if len(complaints) > 1 else ""
        raise SystemExit(
            f"Not deployed. {complaints[0]}{more}\nBuild for what the stack is (samconfig.toml, parameter_overrides): make build"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
