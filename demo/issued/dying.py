"""The function of API keys, as a process that is killed when it has a key and is about to store it.

Called by testkit/crash/zygote.py; PROVIDERS names the folder of the provider files.
"""

import os
import signal
from pathlib import Path

import boto3

from common.handler import handler_by_secret
from rotators.api_key.choice import by_provider
from rotators.api_key.provider import load_providers


def _die(**_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_client = boto3.client("secretsmanager", endpoint_url=os.environ["SECRETS_MANAGER_ENDPOINT"])
_client.meta.events.register("before-call.secretsmanager.PutSecretValue", _die)
handler = handler_by_secret("api_key", by_provider(load_providers(Path(os.environ["PROVIDERS"]))), _client)
