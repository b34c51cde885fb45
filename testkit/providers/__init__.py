"""Provider files for tests and the demo: those of the key service, and the shipped ones, of a server on this machine."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rotators.api_key.provider import FOLDER

OWN = Path(__file__).parent


def write_provider(folder: Path, name: str, port: int, *, called: str = "", **changes: Any) -> str:
    """Write the provider file of this name into a folder, for a server at localhost; answers the provider's name.

    changes: parts of the file that are others, None for one that is left out
    """
    path = OWN / f"{name}.json"
    file: dict[str, Any] = json.loads((path if path.exists() else FOLDER / path.name).read_text())
    file["server"] = {"hosts": ["localhost"], "ports": [port]}
    for part, value in changes.items():
        file[part] = {**file[part], **value} if isinstance(value, Mapping) and part in file else value
    folder.mkdir(exist_ok=True)
    (folder / f"{called or name}.json").write_text(
        json.dumps({part: value for part, value in file.items() if value is not None})
    )
    return called or name
