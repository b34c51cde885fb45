"""Statements that hold a password. MySQL masks it in its logs; MariaDB's general log shows statements as they are.

So MariaDB is sent the hash that it stores, and the password only where a policy of its insists on judging that.
"""

from hashlib import sha1

from rotators.mysql.errors import OPTION_PREVENTS
from rotators.mysql.session import Session


def set_own(session: Session, password: str) -> None:
    """MariaDB: of the user that has logged in, who may not use ALTER USER on itself."""
    text = session.text(password)
    _run_hashed(session, f"SET PASSWORD = {native_hash(session, password)}", f"SET PASSWORD = PASSWORD({text})")


def set_all(session: Session, names: list[str], password: str, suffix: str = "") -> None:
    """ALTER USER for all these accounts at once. suffix: what else it says, such as ACCOUNT UNLOCK."""
    text = session.text(password)
    plain = f"ALTER USER {', '.join(f'{name} IDENTIFIED BY {text}' for name in names)} {suffix}"
    if session.is_mariadb:
        hashed = native_hash(session, password)
        by_hash = ", ".join(f"{name} IDENTIFIED BY PASSWORD {hashed}" for name in names)
        _run_hashed(session, f"ALTER USER {by_hash} {suffix}", plain)
    else:
        session.run(plain)


def create(session: Session, account: str, plugin: str, password: str, options: str) -> None:
    """CREATE USER with a password, unless another delivery has made it meanwhile."""
    made, text = f"CREATE USER IF NOT EXISTS {account} IDENTIFIED", session.text(password)
    if session.is_mariadb:
        hashed = f"{made} BY PASSWORD {native_hash(session, password)} {options}"
        _run_hashed(session, hashed, f"{made} BY {text} {options}")
    else:
        session.run(f"{made} WITH {plugin} BY {text} {options}")


def native_hash(session: Session, password: str) -> str:
    """By mysql_native_password, as it stands in a statement."""
    return session.text("*" + sha1(sha1(password.encode()).digest()).hexdigest().upper())  # noqa: S324  that is the method


def _run_hashed(session: Session, hashed: str, plain: str) -> None:
    """Run the statement with the hash; with the password where the server must judge it."""
    if session.attempt(hashed, OPTION_PREVENTS):
        ((read_only,),) = session.run("SELECT @@GLOBAL.read_only")
        session.run(hashed if read_only else plain)  # where nothing can be written, the same again says so
