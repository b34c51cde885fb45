"""Which provider serves a secret (W7): said by what the platform team writes, its tag or the provider's file, never by its value."""

from collections.abc import Mapping, Sequence

from common.engine import StrategiesFor
from common.errors import BadSetting
from common.guard import Description
from common.issued_key import IssuedKey
from common.strategy import SingleUser, Strategy
from rotators.api_key.provider import Provider
from rotators.api_key.target import ChoosingService, IssuingService


def by_provider(providers: Mapping[str, Provider]) -> StrategiesFor:
    """W7: the strategy of the provider that the tag rotation:provider names, or whose file lists the secret."""

    def strategies_for(secret: Description) -> Sequence[Strategy]:
        provider = _provider(providers, secret)
        if provider.kind == "issued":
            return (IssuedKey(IssuingService(provider)),)
        return (SingleUser(ChoosingService(provider)),)

    return strategies_for


def _provider(providers: Mapping[str, Provider], secret: Description) -> Provider:
    named = secret.tags.get("rotation:provider")
    listed = [name for name, provider in providers.items() if provider.serves(secret.arn)]
    if named is None and len(listed) == 1:
        return providers[listed[0]]
    if named is not None and named in providers:
        return providers[named]
    what = (
        f"The tag rotation:provider of {secret.arn} names no provider of this function"
        if named is not None
        else f"{secret.arn} has no tag rotation:provider, and {len(listed) or 'no'} provider files list it"
    )
    raise BadSetting(
        "provider-unknown",
        f"{what}: {', '.join(providers)}.",
        "Set the tag to one of them, or deploy the provider's file with the function (rotators/api_key/README.md).",
    )
