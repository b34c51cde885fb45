"""The function with the provider files of a test's own folder, which PROVIDERS names."""

import os
from pathlib import Path

from common.handler import handler_by_secret
from rotators.api_key.choice import by_provider
from rotators.api_key.provider import load_providers

handler = handler_by_secret("api_key", by_provider(load_providers(Path(os.environ["PROVIDERS"]))))
