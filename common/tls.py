"""The roots that a server's certificate is verified against, and what it means where that fails.

`rds-and-public-roots.pem` holds the roots of RDS (regional, in no system's store) and Amazon's public ones (Redshift,
RDS Proxy). scripts/make_ca_bundle.py makes it; a test fails before one of them expires.
"""

import os
import ssl
from pathlib import Path

from common.errors import BadSetting, TargetError
from common.secret import Account

_WRONG_NAME = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH
BUNDLE = Path(__file__).with_name("rds-and-public-roots.pem")


def ca_file() -> str:
    """The path of the PEM file to verify against: TLS_CA_FILE where it is set, else the bundle that we ship."""
    return configured_ca_file() or str(BUNDLE)


def configured_ca_file() -> str | None:
    """TLS_CA_FILE; None where it is not set."""
    configured = os.environ.get("TLS_CA_FILE")
    if not configured:
        return None
    if not os.path.isfile(configured):  # noqa: PTH113  Path.is_file raises where a name is too long
        raise BadSetting(
            "setting-invalid",
            "The environment variable TLS_CA_FILE names a file that is not there.",
            "Package the CA file with the function (or in a layer) and give its full path, or remove the variable.",
        )
    return configured


def ca_unreadable(account: Account) -> TargetError:
    """TLS_CA_FILE is no CA file."""
    return TargetError(
        "tls-ca-unreadable",
        f"The CA file to verify {account.host}:{account.port} with holds no certificate.",
        "TLS_CA_FILE must name a file of PEM certificates that the function can read.",
    )


def refused(account: Account) -> TargetError:
    """The server does not offer it."""
    return TargetError(
        "tls-refused",
        f"{account.host}:{account.port} does not speak TLS.",
        "Switch TLS on at the server; only if it cannot, set the secret's 'ssl' to false.",
    )


def required(account: Account) -> TargetError:
    """The server wants it, the secret does not."""
    return TargetError(
        "tls-required",
        f"{account.host}:{account.port} refuses connections without TLS, and the secret's 'ssl' is false.",
        "Remove 'ssl' from the secret, or set it to true.",
    )


def failed(account: Account) -> TargetError:
    """Both speak it, and do not agree."""
    return TargetError(
        "tls-failed",
        f"TLS with {account.host}:{account.port} was not agreed upon.",
        "See the server's log: its TLS versions, its certificate's chain, a proxy that speaks TLS in between.",
    )


def is_wrong_name(error: ssl.SSLCertVerificationError) -> bool:
    """Whether a certificate was refused for its name alone."""
    return error.verify_code in _WRONG_NAME


def wrong_name(account: Account) -> TargetError:
    """A certificate for another host."""
    return TargetError(
        "tls-wrong-name",
        f"The certificate of {account.host}:{account.port} is valid, but for another name.",
        "Use the server's own name as 'host'; where 'host' is a CNAME, add 'tls_server_name' with the certificate's name.",
    )


def untrusted(account: Account) -> TargetError:
    """A certificate that the roots do not vouch for."""
    return TargetError(
        "tls-untrusted",
        f"The certificate of {account.host}:{account.port} is not signed by a trusted root, or has expired.",
        "If the server's certificate is right, package its CA and set TLS_CA_FILE; else somebody else answers there.",
    )
