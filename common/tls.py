"""The roots that a server's certificate is verified against.

`rds-and-public-roots.pem` holds the roots of RDS (regional, in no system's store) and Amazon's public ones (Redshift,
RDS Proxy). scripts/make_ca_bundle.py makes it; a test fails before one of them expires.
"""

import os
from pathlib import Path

from common.errors import BadSetting

BUNDLE = Path(__file__).with_name("rds-and-public-roots.pem")


def ca_file() -> str:
    """The path of the PEM file to verify against: TLS_CA_FILE where it is set, else the bundle that we ship."""
    configured = os.environ.get("TLS_CA_FILE")
    if not configured:
        return str(BUNDLE)
    if not Path(configured).is_file():
        raise BadSetting(
            "setting-invalid",
            "The environment variable TLS_CA_FILE names a file that is not there.",
            "Package the CA file with the function (or in a layer) and give its full path, or remove the variable.",
        )
    return configured
