"""The questions of `make deploy`: what they accept, and what they write to samconfig.toml."""

import argparse
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tomlkit
from samcli.yamlhelper import yaml_parse

from scripts import guide
from scripts.artifacts import ROOT, stack_parameters, wrong
from scripts.stack import terminal

ACCOUNT = "123456789012"
ADMIN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-admin-a1B2c3"
PLAIN = (ROOT / "samconfig.toml").read_text()
OWN = """\
# ours
version = 0.1

[default.global.parameters]
stack_name = "rotation" # agreed with operations
parameter_overrides = [
  "Runtime=python3.13",
  'ExcludeCharacters="/@:; "', # quotes and a blank
  "SubnetIds=subnet-0a1b", # the old one
  "SecurityGroupIds=sg-1a",
  "EnableMySql=false",
  "Architecture=x86_64",
]

[default.deploy.parameters]
capabilities = "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND"
confirm_changeset = true
resolve_s3 = true
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A samconfig.toml as it is shipped."""
    made = tmp_path / "samconfig.toml"
    made.write_text(PLAIN)
    return made


def answering(*answers: str) -> Callable[[str], str]:
    """Somebody who gives these answers, in order, and then hangs up."""
    left = iter(answers)

    def read(_question: str) -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    return read


def run(file: Path, *answers: str, environment: str = "default") -> tuple[bool, str]:
    """(whether it was written, what was shown)."""
    shown = io.StringIO()
    done = guide.guide(terminal(file=shown, width=200), answering(*answers), file, environment, "eu-west-1", ACCOUNT)
    return done, shown.getvalue()


def test_nothing_but_return_and_yes_is_enough(file: Path) -> None:
    """The defaults: every function, no admin, no VPC, no e-mail; only the region is new in the file."""
    done, shown = run(file, "", "", "", "", "", "", "y")
    assert done
    assert "keyturn" in shown
    end = "]\n\n[default.build"
    assert file.read_text() == PLAIN.replace(end, end.replace("\n", '\nregion = "eu-west-1"\n', 1)), (
        "comments stay, too"
    )


def test_answers_become_what_sam_reads(file: Path) -> None:
    """Each answer, as SAM's own parser gives it to the stack."""
    groups = ("subnet-0a1b2c3d, subnet-1b2c3d4e", "sg-4e5f6071")
    assert run(
        file,
        "eu-central-1",
        "rotation",
        "postgres api-key",
        ADMIN.replace("eu-west-1", "eu-central-1"),
        *groups,
        "ops@example.com",
        "yes",
    )[0]
    found = stack_parameters("default", file=file)
    assert found == {
        "Runtime": "python3.13",
        "Architecture": "arm64",
        "EnableMySql": "false",
        "EnableRedshift": "false",
        "EnableDocumentDb": "false",
        "AdminSecrets": ADMIN.replace("eu-west-1", "eu-central-1"),
        "SubnetIds": "subnet-0a1b2c3d,subnet-1b2c3d4e",
        "SecurityGroupIds": "sg-4e5f6071",
        "AlarmEmail": "ops@example.com",
    }
    said = tomlkit.parse(file.read_text()).unwrap()["default"]["global"]["parameters"]
    assert (said["region"], said["stack_name"]) == ("eu-central-1", "rotation")


def test_quotes_and_comments_of_other_lines_survive(file: Path) -> None:
    """What sam deploy --guided mangles: a value with quotes and a blank; it is not even read."""
    file.write_text(OWN)
    assert run(file, "", "", "all", "", "subnet-9f", "", "", "y")[0]
    text = file.read_text()
    for line in (
        "# ours",
        "'ExcludeCharacters=\"/@:; \"', # quotes and a blank",
        '"Architecture=x86_64"',
        "# agreed with operations",
    ):
        assert line in text
    found = stack_parameters("default", file=file)
    assert (found["SubnetIds"], found["SecurityGroupIds"]) == ("subnet-9f", "sg-1a")
    assert found["EnableMySql"] == "true", "said, or a stack that exists would keep false"
    assert found["ExcludeCharacters"] == stack_parameters_of(OWN, file)["ExcludeCharacters"]


def stack_parameters_of(text: str, beside: Path) -> dict[str, str]:
    """What SAM makes of this text."""
    other = beside.with_name("other.toml")
    other.write_text(text)
    return stack_parameters("default", file=other)


def test_none_takes_an_answer_back(file: Path) -> None:
    """The VPC of before is said to be none, in a form that SAM's parser takes."""
    file.write_text(OWN)
    assert run(file, "", "", "", "", "none", "", "y")[0]
    found = stack_parameters("default", file=file)
    assert (found["SubnetIds"], found["SecurityGroupIds"], found["EnableMySql"]) == ("", "", "false")


def test_a_section_that_is_missing_is_made_whole(file: Path) -> None:
    """STACK=prod: nothing is inherited from default, so it says all that sam deploy needs."""
    file.write_text(OWN)
    assert run(file, "", "", "", "", "", "", "y", environment="prod")[0]
    assert file.read_text().startswith(OWN), "the other section is as it was"
    made = tomlkit.parse(file.read_text()).unwrap()["prod"]
    assert made["global"]["parameters"] == {
        "stack_name": "keyturn-prod",
        "language_extensions": True,
        "region": "eu-west-1",
        "parameter_overrides": ["Runtime=python3.13", "Architecture=arm64"],
    }
    assert made["deploy"]["parameters"] == {
        "capabilities": "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND", "confirm_changeset": True, "resolve_s3": True,
    }  # fmt: skip


def test_a_key_stays_where_it_was(file: Path) -> None:
    """A section with everything below deploy keeps it there: sam deploy would not see it twice."""
    file.write_text(
        OWN
        + '[prod.deploy.parameters]\nstack_name = "p"\nparameter_overrides = ["Runtime=python3.12", "Architecture=arm64"]\n'
    )
    assert run(file, "", "", "", ADMIN, "", "", "y", environment="prod")[0]
    made = tomlkit.parse(file.read_text()).unwrap()["prod"]
    assert made["deploy"]["parameters"]["parameter_overrides"][-1] == f"AdminSecrets={ADMIN}"
    assert made["deploy"]["parameters"]["stack_name"] == "p"
    assert made["global"]["parameters"] == {"region": "eu-west-1"}


@pytest.mark.parametrize("answers", range(7))
def test_an_interrupted_guide_changes_nothing(file: Path, answers: int) -> None:
    """Wherever it ends before the last yes; and nothing is left beside the file."""
    with pytest.raises(EOFError):
        run(file, *["", "other", "all", ADMIN, "", "ops@example.com", ""][:answers])
    assert file.read_text() == PLAIN
    assert list(file.parent.iterdir()) == [file]


def test_no_is_no(file: Path) -> None:
    """The last question."""
    done, shown = run(file, "", "", "", "", "", "", "n")
    assert not done
    assert "Nothing was changed." in shown
    assert file.read_text() == PLAIN


def test_a_string_of_overrides_is_left_to_its_owner(file: Path) -> None:
    """SAM takes that form, too; to edit it is to parse quotes, which is what goes wrong."""
    file.write_text(
        'version = 0.1\n[default.global.parameters]\nparameter_overrides = "Runtime=python3.13 Architecture=arm64"\n'
    )
    before = file.read_text()
    with pytest.raises(SystemExit, match="is no list"):
        run(file, "", "", "", "", "", "", "y")
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        (["Europe"], "'Europe' does not look like eu-west-1"),
        (["", "my_stack"], "'my_stack' does not look like keyturn"),
        (["", "x" * 51], "(50 at most)"),
        (["", "", "postgres, oracle"], "There is no function 'oracle'"),
        (["", "", "", "db-admin"], "'db-admin' does not look like arn:aws:secretsmanager"),
        (["", "", "", ADMIN.replace("eu-west-1", "us-east-1")], "another region than eu-west-1"),
        (["", "", "", f"{ADMIN}' 'X=y"], "does not look like arn:"),
        (["", "", "", "", "vpc-1"], "'vpc-1' does not look like subnet-"),
        (["", "", "", "", "subnet-1a", "subnet-1a"], "'subnet-1a' does not look like sg-"),
        (["", "", "", "", "subnet-1a", ""], "both or none"),
        (["", "", "", "", "", "ops at example"], "does not look like ops@example.com"),
        (["", "", "", "", "", '"ops"@example.com'], "does not look like ops@example.com"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_told_at_once(file: Path, answers: list[str], complaint: str) -> None:
    """And asked for again: the next answer is for the same question, so that hanging up there leaves nothing written."""
    shown = io.StringIO()
    with pytest.raises(EOFError):
        guide.guide(terminal(file=shown, width=200), answering(*answers), file, "default", "eu-west-1", ACCOUNT)
    assert complaint in shown.getvalue()
    assert file.read_text() == PLAIN


def test_an_arn_is_shown_as_it_is_and_whole(file: Path) -> None:
    """`:secret:` is no emoji; at 80 columns it is folded, not cut. And whose account it is for."""
    shown = io.StringIO()
    narrow = terminal(file=shown, width=80)
    answers = answering("", "", "", "db-admin", f"{ADMIN},{ADMIN}", "", "", "no")
    assert not guide.guide(narrow, answers, file, "default", "eu-west-1", ACCOUNT)
    words = re.sub(r"[\s│]", "", shown.getvalue())
    assert words.count(ADMIN) == 1 + 2, "the example of what is expected, and both of the answer"
    assert f"account{ACCOUNT}" in words


def test_an_admin_without_its_last_six_characters_is_asked_for_again(file: Path) -> None:
    """IAM and ADMIN_SECRETS compare whole ARNs."""
    cut = ADMIN.rpartition("-")[0]
    done, shown = run(file, "", "", "", cut, ADMIN, "", "", "y")
    assert done
    assert "does not look like" in shown
    assert stack_parameters("default", file=file)["AdminSecrets"] == ADMIN


def test_a_section_that_is_not_there_is_told_with_those_that_are(file: Path) -> None:
    """A typo in STACK."""
    assert "is not there yet (there are: default)" in run(file, "", "", "", "", "", "", "n", environment="prdo")[1]
    with pytest.raises(SystemExit, match=r"no section prdo \(there are: default\)"):
        stack_parameters("prdo", file=file)


def test_a_parameter_that_the_template_has_not_is_refused(tmp_path: Path) -> None:
    """`sam deploy` passes over it, and somebody thinks that he has an alarm."""
    (tmp_path / "template.yaml").write_text("")
    said = {"Runtime": "python3.13", "Architecture": "arm64"}
    assert list(wrong(tmp_path, {**said, "AlarmEmail": "ops@example.com"})) == []
    assert list(wrong(tmp_path, {**said, "AlarmMail": "ops@example.com"})) == [
        "template.yaml has no parameter AlarmMail: do you mean AlarmEmail?"
    ]


def test_patterns_of_admins_are_taken(file: Path) -> None:
    """AdminSecrets takes patterns with *, several of them."""
    pattern = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-*"
    assert run(file, "", "", "", f"{ADMIN}, {pattern}", "", "", "y")[0]
    assert stack_parameters("default", file=file)["AdminSecrets"] == f"{ADMIN},{pattern}"


class TestNeeded:
    """When the guide asks, and when it lets a pipeline go on."""

    @pytest.fixture(autouse=True)
    def shipped(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """The project's samconfig.toml is this one."""
        monkeypatch.setattr(guide, "ROOT", file.parent)
        return iter([file])

    def given(self, **more: object) -> argparse.Namespace:
        """What `make deploy` was told."""
        return argparse.Namespace(**{"config_env": "default", "region": None, "no_confirm_changeset": False, **more})

    def test_somebody_at_a_terminal_is_asked(self) -> None:
        """Also with AWS_REGION, which is then the first answer's default."""
        assert guide.needed(self.given(), None, terminal=True)
        assert guide.needed(self.given(), "eu-west-1", terminal=True)

    def test_a_pipeline_with_a_region_goes_on_as_before(self) -> None:
        """AWS_REGION, --region, or --no-confirm-changeset on a terminal that a CI simulates."""
        assert not guide.needed(self.given(), "eu-west-1", terminal=False)
        assert not guide.needed(self.given(region="eu-west-1"), None, terminal=True)
        assert not guide.needed(self.given(no_confirm_changeset=True), "eu-west-1", terminal=True)

    def test_a_pipeline_without_a_region_is_told_what_to_write(self) -> None:
        """The section's name is in the text."""
        with pytest.raises(SystemExit, match=r"section prod of samconfig\.toml"):
            guide.needed(self.given(config_env="prod"), None, terminal=False)

    def test_it_asks_once(self, file: Path) -> None:
        """What it has written is what ends it."""
        assert run(file, "", "", "", "", "", "", "y")[0]
        assert not guide.needed(self.given(), None, terminal=True)


def test_what_it_writes_are_parameters_of_the_template() -> None:
    """Every name, with the default that makes a line needless; or it comes with this change."""
    parameters = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    asked = {*guide.FUNCTIONS.values(), "AdminSecrets", "SubnetIds", "SecurityGroupIds", "AlarmEmail"}
    assert asked <= set(parameters)
    for name, default in guide.DEFAULTS.items():
        assert parameters[name]["Default"] == default
