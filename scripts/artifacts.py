"""What the functions are built for, and whether what was built fits the stack: the Makefile asks here.

    python -m scripts.artifacts uv                          what `uv pip install` is to be told
    python -m scripts.artifacts sam                         the same for `sam build`
    python -m scripts.artifacts prune FOLDER                take out of it what is for other Pythons
    python -m scripts.artifacts check [options of sam deploy]

samconfig.toml says what the stack is made for (the section that STACK names, by default "default"); RUNTIME and ARCHITECTURE go
before it. What a function was built for is read from its shared objects: their ELF header names the machine, the name
of each extension module the Python. `check` refuses to deploy what was built for anything but the stack.
"""

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from samcli.cli.types import CfnParameterOverridesType
from samcli.lib.config.samconfig import SamConfig
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).parents[1]
BUILT = ROOT / ".aws-sam" / "build"
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}  # e_machine of the ELF specification
PLATFORMS = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}  # Amazon Linux 2023 has glibc 2.34
RUNTIMES = ("python3.12", "python3.13")  # 3.11 and older run on Amazon Linux 2, whose glibc is 2.26


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


def stack_parameters(
    environment: str, overrides: Sequence[str] = (), file: Path = ROOT / "samconfig.toml"
) -> dict[str, str]:
    """The parameters that `sam deploy` gives the stack: these, else those of samconfig.toml's section."""
    config = SamConfig(file.parent, filename=file.name)
    found = config.get_all(["deploy"], "parameters", env=environment)
    if environment not in config.document:
        raise SystemExit(
            f"{file.name} has no section {environment} (there are: {', '.join(sections(config.document))}). Run make deploy "
            f"STACK={environment} at a terminal, which writes it, or copy the one in docs/deploying.md."
        )
    said = overrides or found.get("parameter_overrides", ())
    words = (said,) if isinstance(said, str) else tuple(said)
    try:
        return dict(CfnParameterOverridesType().convert(words, None, None))
    except click.BadParameter as error:
        raise SystemExit(f"{file.name}, section {environment}, parameter_overrides: {error.message}") from None


def sections(document: Mapping[str, object]) -> list[str]:
    """The names of samconfig.toml's sections, as STACK takes them."""
    return [name for name, value in document.items() if isinstance(value, Mapping)]


def wanted(settings: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    """(runtime, architecture) to build for: RUNTIME and ARCHITECTURE, else the stack's."""
    asked = settings.get("RUNTIME") or parameters.get("Runtime", "python3.13")
    machine = settings.get("ARCHITECTURE") or parameters.get("Architecture", "arm64")
    if asked not in RUNTIMES:
        raise SystemExit(f"The runtime {asked} is not one of {', '.join(RUNTIMES)}.")
    if machine not in PLATFORMS:
        raise SystemExit(f"The architecture {machine} is not one of {', '.join(PLATFORMS)}.")
    return asked, machine


def wrong(built: Path, parameters: Mapping[str, str]) -> Iterator[str]:
    """What speaks against deploying these artifacts with these parameters."""
    if not (built / "template.yaml").exists():
        yield "Nothing is built: run make build."
        return
    known = declared()
    for name in parameters:
        if name not in known:
            # `sam deploy` would pass over it without a word.
            near = difflib.get_close_matches(name, known, 1)
            yield f"template.yaml has no parameter {name}" + (f": do you mean {near[0]}?" if near else ".")
    for name in ("Architecture", "Runtime"):
        if name not in parameters:
            # A stack that exists would keep its old value, whatever that is.
            yield f"Neither samconfig.toml's section nor --parameter-overrides says the stack's {name}."
    for path in shared_objects(built):
        found = {"Architecture": architecture(path), "Runtime": runtime(path)}
        for name, value in found.items():
            if name in parameters and value not in {None, parameters[name]}:
                yield f"{path.relative_to(built)} is for {value}, the stack's {name} is {parameters[name]}: run make build."


def declared(template: Path = ROOT / "template.yaml") -> list[str]:
    """The names of the template's parameters."""
    return list(yaml_parse(template.read_text())["Parameters"])


def prune(folder: Path, asked: str) -> None:
    """Of an extension module that a wheel brings for several Pythons (PyMongo's do), keep the one for this one."""
    found = shared_objects(folder)
    kept = {path.name.partition(".")[0] for path in found if runtime(path) == asked}
    for path in found:
        if runtime(path) not in {None, asked} and path.name.partition(".")[0] in kept:
            path.unlink()


def check(arguments: Sequence[str]) -> None:
    """Return where all fits; end with what does not otherwise."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--config-env", default="default")
    parser.add_argument("--config-file")
    parser.add_argument("--parameter-overrides", nargs="+", default=())
    parser.add_argument("-g", "--guided", action="store_true")
    given, _ = parser.parse_known_args(arguments)
    if given.guided or given.config_file:
        raise SystemExit(
            "Not deployed. make build and make deploy read samconfig.toml alone (STACK names the section): edit that, "
            "instead of --guided or --config-file."
        )
    parameters = stack_parameters(given.config_env, given.parameter_overrides)
    complaints = list(wrong(BUILT, parameters))
    if complaints:
        more = f" ({len(complaints) - 1} more like it.)" if len(complaints) > 1 else ""
        raise SystemExit(f"Not deployed. {complaints[0]}{more}")


def main(verb: str, arguments: Sequence[str]) -> None:
    """Do what the Makefile asks."""
    if verb == "check":
        return check(arguments)
    if verb == "prune" and os.environ.get("BUILD_FOR_THIS_MACHINE"):
        return prune(Path(arguments[0]), f"python3.{sys.version_info.minor}")
    asked, machine = wanted(os.environ, stack_parameters(os.environ.get("STACK") or "default"))
    if verb == "prune":
        prune(Path(arguments[0]), asked)
    elif verb == "uv":
        print(f"--python-version {asked.removeprefix('python')} --python-platform {PLATFORMS[machine]}")
    else:
        print(f"Runtime={asked} Architecture={machine}")
    return None


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
