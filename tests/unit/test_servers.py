"""Where a test's server comes from."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from testkit.servers.containers import in_container
from testkit.servers.mongo import find_mongo, mongo_server
from testkit.servers.mysql import Running, find_mariadb, find_mysql, mysql_server
from testkit.servers.ntfy import find_ntfy, ntfy_server
from testkit.servers.rabbitmq import find_rabbitmq, rabbitmq_server
from testkit.servers.tree import Tree, tree_with


def test_a_url_names_a_server_that_runs_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """It wins over programs, and is left as it is."""
    monkeypatch.setenv("MYSQL_TEST_URL", "mysql://root:p%40ss@db.test:3307/?ca=/ca.pem&log=/general.log")
    monkeypatch.setenv("MARIADB_TEST_URL", "mysql://root:x@db.test/?ca=/ca.pem&log=/general.log")
    found, other = find_mysql(), find_mariadb()
    assert isinstance(found, Running)
    assert isinstance(other, Running)
    with mysql_server(found) as server, mysql_server(other) as second:
        assert (server.flavour, server.host, server.port, server.password) == ("mysql", "db.test", 3307, "p@ss")
        assert (server.ca_file, server.log) == (Path("/ca.pem"), Path("/general.log"))
        assert (second.flavour, second.port) == ("mariadb", 3306)


@pytest.mark.parametrize("url", ["mysql://app:x@h/?ca=/c&log=/l", "mysql://root:x@h/?ca=/c", "h:3306"])
def test_a_url_that_says_too_little(url: str) -> None:
    """The error shows the form, and no password."""
    with pytest.raises(ValueError, match="not of the form") as error, mysql_server(Running("mysql", url)):
        pass
    assert ":x@" not in str(error.value)


def test_no_server_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """None, so that a test can be skipped with its reason."""
    for name in ("MYSQL_TREE", "SERVERS_TREE", "MYSQL_TEST_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_mysql() is None


OTHERS = [
    (find_mongo, mongo_server, "MONGO_TEST_URL", "mongodb", 27017),
    (find_ntfy, ntfy_server, "NTFY_TEST_URL", "https", 443),
    (find_rabbitmq, rabbitmq_server, "RABBITMQ_TEST_URL", "https", 15671),
]


@pytest.mark.parametrize(("find", "serve", "variable", "scheme", "port"), OTHERS)
def test_a_url_names_another_server_that_runs_already(
    find: Callable[[], Any],
    serve: Callable[[Any], AbstractContextManager[Any]],
    variable: str,
    scheme: str,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the port that is usual, or its own; what says too little shows the form, and no password."""
    for named, wanted in (("", port), (":1234", 1234)):
        monkeypatch.setenv(variable, f"{scheme}://root:p%40ss@host.test{named}/?ca=/ca.pem&log=/its.log")
        found = find()
        assert "p%40ss" not in repr(found)
        with serve(found) as server:
            assert (server.host, server.port, server.password) == ("host.test", wanted, "p@ss")
            assert (server.ca_file, server.log) == (Path("/ca.pem"), Path("/its.log"))
    for url in (f"{scheme}://app:x@h/?ca=/c&log=/l", f"{scheme}://root:x@h/?ca=/c", "h:1"):
        monkeypatch.setenv(variable, url)
        with pytest.raises(ValueError, match="not of the form") as error, serve(find()):
            pass
        assert ":x@" not in str(error.value)


@pytest.mark.parametrize("find", [find_mongo, find_ntfy])
def test_no_other_server_at_all(find: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """None, so that a test can be skipped with its reason."""
    for name in ("SERVERS_TREE", "FERRETDB", "MONGO_TEST_URL", "NTFY_TEST_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert find() is None


def test_a_container_runs_as_the_owner_of_its_folder(tmp_path: Path) -> None:
    """On this machine's network, with that folder and nothing else of this machine."""
    words = in_container("image:1", ("server", "--port=1"), tmp_path)
    assert words[:2] == ("docker", "run")
    assert words[-4:] == ("--entrypoint", "server", "image:1", "--port=1")
    assert f"{tmp_path}:{tmp_path}" in words
    assert f"{tmp_path.stat().st_uid}:{tmp_path.stat().st_gid}" in words


def test_links_of_a_tree_lead_to_its_own_files(tmp_path: Path) -> None:
    """Absolute ones too, which outside a chroot would lead to the system's."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr/real").touch()
    (tmp_path / "etc/middle").symlink_to("/usr/real")
    (tmp_path / "usr/first").symlink_to("../etc/middle")
    resolved = Tree(tmp_path).resolve(tmp_path / "usr/first")
    assert resolved.samefile(tmp_path / "usr/real")


def test_a_tree_is_one_that_holds_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one without it is none."""
    monkeypatch.setenv("SERVERS_TREE", str(tmp_path))
    assert tree_with("usr/bin/ntfy") is None
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/ntfy").touch()
    assert tree_with("usr/bin/*fy") == Tree(tmp_path)
