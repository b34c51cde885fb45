"""The roots that we ship."""

import datetime as dt
import os
import ssl

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from common import tls
from common.errors import BadSetting

ROOTS = x509.load_pem_x509_certificates(tls.BUNDLE.read_bytes())


def test_none_expires_soon() -> None:
    """Fails a year before one does: then run scripts/make_ca_bundle.py."""
    in_a_year = dt.datetime.now(dt.UTC) + dt.timedelta(days=365)
    assert [root.subject.rfc4514_string() for root in ROOTS if root.not_valid_after_utc < in_a_year] == []


def test_it_holds_rds_in_every_region_and_amazons_public_roots() -> None:
    """Each regional root has three kinds (RSA 2048, RSA 4096, ECC 384); Redshift and RDS Proxy use the public ones."""
    names = [root.subject.rfc4514_string() for root in ROOTS]
    for region in ("us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2", "sa-east-1"):
        assert sum(f"Amazon RDS {region} Root CA" in name for name in names) == 3, region
    assert sum(name.startswith("CN=Amazon Root CA ") for name in names) == 4
    assert len(set(ROOTS)) == len(ROOTS)
    assert not [name for name in names if "Beta" in name or "Preview" in name]


def test_the_public_roots_are_certifis() -> None:
    """Nobody slipped another one in under Amazon's name."""
    known = ssl.create_default_context(cafile=certifi.where()).get_ca_certs(binary_form=True)
    public = [root for root in ROOTS if "CN=Amazon Root CA" in root.subject.rfc4514_string()]
    assert {root.public_bytes(Encoding.DER) for root in public} <= set(known)


def test_openssl_reads_it() -> None:
    """All of it."""
    assert len(ssl.create_default_context(cafile=str(tls.BUNDLE)).get_ca_certs()) == len(ROOTS)


def test_tls_ca_file_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there, else an error that names the variable."""
    monkeypatch.setenv("TLS_CA_FILE", os.devnull + "x")
    with pytest.raises(BadSetting, match="TLS_CA_FILE"):
        tls.ca_file()
    monkeypatch.setenv("TLS_CA_FILE", certifi.where())
    assert tls.ca_file() == certifi.where()
    monkeypatch.delenv("TLS_CA_FILE")
    assert tls.ca_file() == str(tls.BUNDLE)
