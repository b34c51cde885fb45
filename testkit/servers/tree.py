"""Programs in a tree of another Debian release, beside the system: they run by that tree's own loader and libraries.

So nothing of it is installed, no chroot is needed, and who runs the tests need not be root.
"""

import os
from dataclasses import dataclass
from pathlib import Path

SERVERS_TREE = "SERVERS_TREE"


@dataclass(frozen=True)
class Tree:
    """A tree by its root; the system itself is one too."""

    root: Path

    @property
    def libraries(self) -> Path:
        """Where the tree's C library is."""
        (found,) = [path.parent for path in self.root.glob("usr/lib/*/libc.so.6")]
        return found

    def program(self, path: str, *libraries: Path, name: str = "") -> tuple[str, ...]:
        """How a program is called, by its path below the root.

        libraries: folders beside the tree's own. name: what the program is to think that it is called
        """
        (loader,) = self.libraries.glob("ld-linux-*.so.*")
        searched = ":".join(str(folder) for folder in (self.libraries, *libraries))
        named = ("--argv0", name) if name else ()
        return (str(loader), "--library-path", searched, *named, str(self.root / path))

    def resolve(self, path: Path) -> Path:
        """Where a link leads whose absolute targets are meant from the tree's root."""
        while path.is_symlink():
            to = path.readlink()
            path = self.root / str(to).lstrip("/") if to.is_absolute() else path.parent / to
        return path


def tree_with(path: str, variable: str = SERVERS_TREE) -> Tree | None:
    """The tree that a variable names, where it holds this path (a pattern)."""
    named = os.environ.get(variable, "")
    return Tree(Path(named)) if named and any(Path(named).glob(path)) else None
