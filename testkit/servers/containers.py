"""Servers in containers, where a Docker engine answers."""

import subprocess
from contextlib import suppress
from pathlib import Path


def has_image(image: str) -> bool:
    """Whether a Docker engine answers that has the image, or pulls it."""
    for words in (("image", "inspect", image), ("pull", "-q", image)):
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["docker", *words], capture_output=True, timeout=300, check=True)  # noqa: S607
            return True
    return False


def in_container(image: str, words: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """These words as they are run in a container: on the host's network, as the account that owns the folder, in it.

    Not as its process 1, which would not heed the signal that ends it
    """
    owner = folder.stat()
    mine = ("--user", f"{owner.st_uid}:{owner.st_gid}", "-v", f"{folder}:{folder}", "-w", str(folder))
    run = ("docker", "run", "--rm", "--network=host", "--pid=host", *mine, "--entrypoint", words[0], image)
    return (*run, *words[1:])
