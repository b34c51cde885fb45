"""The Lambda function that rotates API keys: which service's is said by each secret's provider file (W7)."""

from common.handler import handler_by_secret
from rotators.api_key.choice import by_provider
from rotators.api_key.provider import load_providers

handler = handler_by_secret("api_key", by_provider(load_providers()))
