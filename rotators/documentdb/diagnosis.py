"""Why there was no connection: the driver's monitor says it in words only, so a connection of our own finds out, without a login."""

import socket
import ssl

from pymongo.errors import NetworkTimeout, ServerSelectionTimeoutError

from common import clock, network, tls
from common.errors import TargetError
from common.secret import Account

LOOK_SECONDS = 1.0


def no_connection(errors: list[Exception], account: Account, *, by_tls: bool) -> TargetError:
    """What stood in the way. errors: the driver's, whose kinds say whether the server ended a connection or was silent."""
    met = _met_with(account, by_tls=by_tls)
    if met is not None:
        return met
    ended = [one for one in errors if not isinstance(one, NetworkTimeout | ServerSelectionTimeoutError)]
    if not ended:
        return network.silent(account)
    return network.closed(account) if by_tls else tls.required(account)


def _met_with(account: Account, *, by_tls: bool) -> TargetError | None:
    """What a connection of our own meets with; None where it comes about."""
    try:
        with socket.create_connection((account.host, account.port), timeout=clock.at_most(LOOK_SECONDS)) as opened:
            if by_tls:
                context = ssl.create_default_context(cafile=tls.ca_file())
                context.wrap_socket(opened, server_hostname=account.host).close()
    except ssl.SSLCertVerificationError as error:
        return _wrong_name(account) if tls.is_wrong_name(error) else tls.untrusted(account)
    except (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError):
        return network.closed(account)
    except ssl.SSLError:
        return tls.failed(account)
    except TimeoutError:
        return network.silent(account)
    except OSError:
        return network.unreachable(account)
    return None


def _wrong_name(account: Account) -> TargetError:
    return TargetError(
        "tls-wrong-name",
        f"The certificate of {account.host}:{account.port} is valid, but for another name.",
        "Put the server's own name into 'host': the driver verifies the name that it connects to.",
    )
