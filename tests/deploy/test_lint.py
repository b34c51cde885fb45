"""What linters say of template.yaml: nothing, but for what it says itself beside the resource, with the reason."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samcli.lib.cfn_language_extensions.api import process_template
from samcli.yamlhelper import yaml_parse

from tests.deploy.environments import program
from tests.packaged.conftest import ROOT, run, sam
from tests.unit.test_template import EVERYTHING

TEMPLATE = ROOT / "template.yaml"
# What a reason may be for: a stack that is asked for less is not less safe than that.
SUPPRESSED = {
    "CKV_AWS_115",  # functions without a reserved concurrency
    "CKV_AWS_116",  # functions without a dead letter queue
    "CKV_AWS_117",  # functions outside of any VPC
    "CKV_AWS_158",  # log groups without a customer key
    "CKV_AWS_173",  # functions' environments without a customer key
}


@pytest.fixture(scope="session")
def checkov() -> Path:
    """The program, in the environment that the Makefile makes."""
    return program("checkov")


def test_cfn_lint_is_silent() -> None:
    """No error and no warning, with the types and values that these regions have."""
    linter = Path(sys.prefix) / "bin" / "cfn-lint"
    assert run(linter, "--regions", "eu-west-1", "us-east-1", "ap-southeast-2", "--", TEMPLATE) == ""


def test_sam_finds_it_valid() -> None:
    """`sam validate` lints as samconfig.toml says, after SAM's own transform."""
    assert "is a valid SAM Template" in run(sam(), "validate", "--region", "eu-west-1")


def test_checkov_finds_nothing(checkov: Path, tmp_path: Path) -> None:
    """In the template as it stands, and with everything on, where each Fn::ForEach has made its resources."""
    expanded = process_template(yaml_parse(TEMPLATE.read_text()), parameter_values=EVERYTHING)
    (tmp_path / "expanded.json").write_text(json.dumps(expanded))
    for file, at_least in ((TEMPLATE, 60), (tmp_path / "expanded.json", 80)):
        found = scanned(checkov, file)
        assert found["summary"]["parsing_errors"] == 0
        assert [(one["check_id"], one["resource"]) for one in found["results"]["failed_checks"]] == []
        assert found["summary"]["passed"] > at_least
        skipped = found["results"]["skipped_checks"]
        assert {one["check_id"] for one in skipped} == SUPPRESSED
        reasons = [one["check_result"]["suppress_comment"] for one in skipped]
        assert [reason for reason in reasons if len(reason) < 15 or reason == "No comment provided"] == []


def test_checkov_can_find_something(checkov: Path, tmp_path: Path) -> None:
    """Were the topic not encrypted, and its key not rotated, it would say so."""
    worse = TEMPLATE.read_text().replace("EnableKeyRotation: true", "EnableKeyRotation: false")
    worse = worse.replace("KmsMasterKeyId: !GetAtt AlarmsKey.Arn", "DisplayName: plain")
    (tmp_path / "template.yaml").write_text(worse)
    failed = scanned(checkov, tmp_path / "template.yaml")["results"]["failed_checks"]
    assert {one["resource"].rpartition(".")[2] for one in failed} == {"AlarmsKey", "AlarmsTopic"}


def scanned(checkov: Path, file: Path) -> dict[str, Any]:
    """What checkov says of a template, without asking anybody."""
    done = subprocess.run(
        [checkov, "-f", file, "--framework", "cloudformation", "--skip-download", "-o", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
