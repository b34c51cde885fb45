"""What is rotated in every proof: each target with each of its strategies, on real servers.

    with SCENARIOS["mysql, dual-password"](request.getfixturevalue, tmp_path) as scenario: ...

The servers are fixtures of tests/conftest.py; a Scenario (testkit/crash/matrix.py) says how a user is made, whether the
server takes a login, and what that login may do.
"""

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

from testkit.crash.matrix import Scenario
from tests.scenarios import api_key, documentdb, mysql, postgres, redshift

Made: TypeAlias = Callable[[Callable[[str], Any], Path], AbstractContextManager[Scenario]]
SINGLE, ALTERNATING, DUAL = "single-user", "alternating-users", "dual-password"

# The longest first.
SCENARIOS: Mapping[str, Made] = {
    f"redshift, {ALTERNATING}": functools.partial(redshift.scenario, strategy=ALTERNATING),
    f"mysql, {ALTERNATING}": functools.partial(mysql.scenario, flavour="mysql", strategy=ALTERNATING),
    f"postgres, {ALTERNATING}": functools.partial(postgres.scenario, strategy=ALTERNATING),
    # Before 16 a role is granted without ADMIN OPTION on it.
    f"postgres 15, {ALTERNATING}": functools.partial(postgres.scenario, strategy=ALTERNATING, server_is="server_15"),
    f"mariadb, {ALTERNATING}": functools.partial(mysql.scenario, flavour="mariadb", strategy=ALTERNATING),
    f"documentdb, {ALTERNATING}": functools.partial(documentdb.scenario, flavour="documentdb", strategy=ALTERNATING),
    f"mongodb, {ALTERNATING}": functools.partial(documentdb.scenario, flavour="mongodb", strategy=ALTERNATING),
    f"redshift, {SINGLE}": functools.partial(redshift.scenario, strategy=SINGLE),
    f"mysql, {SINGLE}": functools.partial(mysql.scenario, flavour="mysql", strategy=SINGLE),
    f"mysql, {DUAL}": functools.partial(mysql.scenario, flavour="mysql", strategy=DUAL),
    f"documentdb, {SINGLE}": functools.partial(documentdb.scenario, flavour="documentdb", strategy=SINGLE),
    f"postgres, {SINGLE}": functools.partial(postgres.scenario, strategy=SINGLE),
    f"mariadb, {SINGLE}": functools.partial(mysql.scenario, flavour="mariadb", strategy=SINGLE),
    "api_key, issued, ntfy": api_key.at_ntfy,
    "api_key, chosen, RabbitMQ": api_key.at_rabbitmq,
    "api_key, issued, key service": api_key.at_the_key_service,
}
# Where AWSCURRENT is refused between setSecret and finishSecret; and where it never is, at servers that somebody has.
WITH_A_GAP = [name for name in SCENARIOS if "single-user" in name or "chosen" in name]
WITHOUT_A_GAP = [name for name in SCENARIOS if name not in WITH_A_GAP and "key service" not in name]
# Where an edit by hand may leave a key in the way for an operator to revoke, so that not every proof can end by itself.
LIMITED: Mapping[str, Made] = {
    "api_key, issued, key service, 2 keys at most": functools.partial(api_key.at_the_key_service, limit=2),
}
