"""What every story of one scenario shares: Secrets Manager, the faulty proxies, two processes of the function."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from testkit.crash.function import ProcessFunction, process_function
from testkit.crash.matrix import Scenario
from testkit.crash.proxy import http_requests, tls_records
from testkit.faults import Faults, faulty
from testkit.simulator import Simulator


@dataclass(frozen=True)
class Bench:
    """The second function is for deliveries while the first one runs. port: the server's proxy's. totals: what has happened."""

    scenario: Scenario
    aws: Simulator
    functions: tuple[ProcessFunction, ProcessFunction]
    faults: Faults
    port: int
    totals: Counter[str] = field(default_factory=Counter)


@contextmanager
def bench(scenario: Scenario, function: str = "tests.proof.chaos.hurried:handler") -> Iterator[Bench]:
    """Up and running. function: who runs what the scenario's handler is."""
    with ExitStack() as stack:
        aws, faults = stack.enter_context(Simulator()), Faults()
        port = stack.enter_context(faulty("the server", scenario.server, tls_records, faults))
        endpoint = ("127.0.0.1", int(aws.endpoint.rpartition(":")[2]))
        secrets_manager = stack.enter_context(faulty("Secrets Manager", endpoint, http_requests, faults))
        environment = {
            **scenario.environment,
            "SECRETS_MANAGER_ENDPOINT": f"http://127.0.0.1:{secrets_manager}",
            "HURRIED": scenario.handler,
        }
        first, second = (stack.enter_context(process_function(function, **environment)) for _ in range(2))
        faults.freeze = first.freeze
        yield Bench(scenario, aws, (first, second), faults, port)
