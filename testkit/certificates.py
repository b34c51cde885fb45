"""A certificate authority for tests, and the server certificates that it signs."""

import datetime as dt
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)
# From Python 3.13 on, ssl's default context takes RFC 5280 strictly: a root says that it signs, a certificate by which key.
_SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """A root of its own. `pem` is what a client is to trust."""

    def __init__(self, name: str | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, name or f"Keyturn test root {secrets.token_hex(4)}")]
        )
        authority = x509.BasicConstraints(ca=True, path_length=None)
        draft = _draft(self._name, self._name, self._key.public_key(), authority)
        self.pem = _pem(_signed(draft.add_extension(_SIGNS, critical=True), self._key))

    def issue(self, folder: Path, *dns_names: str, days: int = 30) -> tuple[Path, Path]:
        """Write a server's certificate and key into `folder`; their paths. A negative `days` has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, dns_names[0])])
        server = x509.BasicConstraints(ca=False, path_length=None)
        draft = _draft(subject, self._name, key.public_key(), server, days)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        draft = draft.add_extension(issuer, critical=False)
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names])
        certificate, private = folder / "server.crt", folder / "server.key"
        certificate.write_bytes(_pem(_signed(draft.add_extension(names, critical=False), self._key)))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        private.chmod(0o600)
        return certificate, private


def _draft(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, basic: x509.BasicConstraints, days: int = 30
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 60 * _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(basic, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(draft: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return draft.sign(key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
