"""What a role of template.yaml may do, as IAM would decide: SAM's own code resolves the template, this file decides.

Of IAM's rules only those that our policies need: an explicit deny wins, an allow must match action, resource and every
condition; a condition whose key the request does not have does not match. Source: IAM User Guide, "Policy evaluation logic".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from samcli.lib.cfn_language_extensions.api import process_template
from samcli.lib.cfn_language_extensions.models import PseudoParameterValues
from samcli.yamlhelper import yaml_parse

from testkit.simulator.calls import ACCOUNT, REGION

# Of the operators only these: any other fails loudly.
_MATCHES = {
    "StringEquals": lambda has, wants: has == wants,
    "ArnEquals": fnmatchcase,
    "StringLike": fnmatchcase,
    "ArnLike": fnmatchcase,
}


@dataclass(frozen=True)
class Request:
    """One call, as IAM sees it. action: service:Operation. context: condition keys and their values."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, its lists as tuples."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]

    def names(self, action: str) -> bool:
        """Whether it is about this action."""
        return any(fnmatchcase(action.lower(), one.lower()) for one in self.actions)

    def applies(self, request: Request) -> bool:
        """Whether it decides this request."""
        return (
            self.names(request.action)
            and any(fnmatchcase(request.resource, one) for one in self.resources)
            and all(
                key in request.context and any(_MATCHES[operator](request.context[key], value) for value in values)
                for operator, key, values in self.conditions
            )
        )


def resources(template: Path, account: str = ACCOUNT, **parameters: str) -> dict[str, Any]:
    """The template's resources with these parameters, as SAM resolves them for a stack called keyturn.

    A reference to another resource stays what it is
    """
    pseudo = PseudoParameterValues(
        region=REGION, account_id=account, stack_name="keyturn", partition="aws", url_suffix="amazonaws.com"
    )
    parsed = yaml_parse(template.read_text())
    resolved = process_template(parsed, parameter_values=parameters, pseudo_parameters=pseudo)["Resources"]
    conditions = resolved_conditions(parsed, pseudo, parameters)
    return {name: one for name, one in resolved.items() if conditions.get(one.get("Condition"), True)}


def resolved_conditions(
    parsed: dict[str, Any], pseudo: PseudoParameterValues, parameters: dict[str, str]
) -> dict[str, bool]:
    """{condition: whether it holds}: SAM resolves them only where they are used, so each one is used once."""
    probe = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::LanguageExtensions",
        "Parameters": parsed.get("Parameters", {}),
        "Conditions": parsed.get("Conditions", {}),
        "Resources": {
            "Probe": {
                "Type": "AWS::SNS::Topic",
                "Metadata": {name: {"Fn::If": [name, "yes", "no"]} for name in parsed.get("Conditions", {})},
            }
        },
    }
    found = process_template(probe, parameter_values=parameters, pseudo_parameters=pseudo)
    return {name: value == "yes" for name, value in found["Resources"]["Probe"].get("Metadata", {}).items()}


def statements(found: Mapping[str, Any], role: str) -> list[Statement]:
    """What is attached to the role with this logical id: its own policies, the stack's that it names, and those that name it."""
    properties = found[role]["Properties"]
    named = [one["Ref"] for one in properties.get("ManagedPolicyArns", []) if isinstance(one, Mapping) and "Ref" in one]
    documents = [
        *(policy["PolicyDocument"] for policy in properties.get("Policies", [])),
        *(
            one["Properties"]["PolicyDocument"]
            for name, one in found.items()
            if name in named or {"Ref": role} in one["Properties"].get("Roles", [])
        ),
    ]
    return [_statement(one) for document in documents for one in document["Statement"]]


def allowed(policies: list[Statement], request: Request) -> bool:
    """IAM's decision."""
    deciding = [one for one in policies if one.applies(request)]
    return bool(deciding) and all(one.effect == "Allow" for one in deciding)


def _statement(one: Mapping[str, Any]) -> Statement:
    return Statement(
        one["Effect"],
        tuple(_texts(one["Action"])),
        tuple(_texts(one["Resource"])),
        tuple(
            (_known(operator), key, tuple(_texts(values)))
            for operator, keys in one.get("Condition", {}).items()
            for key, values in keys.items()
        ),
    )


def _known(operator: str) -> str:
    assert operator in _MATCHES, f"what {operator} means is not said here"
    return operator


def _texts(value: Any) -> Iterator[str]:
    """A text or a list of texts; a reference to a resource by its logical id."""
    for one in value if isinstance(value, list) else [value]:
        yield one if isinstance(one, str) else str(one)
