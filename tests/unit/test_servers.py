"""Where a test's server comes from."""

from pathlib import Path

import pytest

from testkit.servers.mysql import Running, find_mariadb, find_mysql, mysql_server


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
