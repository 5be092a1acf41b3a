"""A CloudWatch Logs of your own, for tests: over HTTP, and stricter than the service.

It speaks the service's protocol, so boto3, the AWS command line and any log shipper can talk to
it. It verifies signatures, enforces every documented limit of what it knows, stores what it is
sent as often as it is sent, and does on demand what the real one does on bad days.

In a test::

    with StrictCloudWatch() as cloudwatch:
        cloudwatch.create("/ecs/reports", "web.log")
        client = cloudwatch.client()                   # or cloudwatch.environment()
        cloudwatch.faults.add("reset_after", times=1)
        ...
        assert cloudwatch.messages("/ecs/reports", "web.log") == ["a", "b"]
        assert not cloudwatch.violations

- `events`, `messages`, `all_events`, `count` tell what is really stored, in order of arrival;
  reading through the client tells what is visible.
- `requests` counts calls by operation, `calls` has the latest ones, `violations` every unlawful
  one; `record.peak` and `record.peak_per_stream` say how many puts ran at once.
- `clock.freeze()`, `clock.advance(seconds)` move the service's time, which decides ages,
  retention, visibility, expiry of `identities.issue(seconds)` and when delayed requests run;
  `deferred.run_due(everything=True)` runs the latter at once.
- `wait_until(condition)` waits without polling loops of your own.
- `quotas=ACCOUNT_QUOTAS` throttles as an account would.

From the shell, to point anything at::

    python -m tests.support.cloudwatch --port 4580 --fault throttle:probability=0.1,seed=7

It prints one line that a shell can read: the environment for the client, and the address in a
comment. Its exit status is 1 when it saw violations. `/_control/` under the same address drives
and questions it (see the module `control`).

Faults combine; each takes `operation`, `group`, `stream` (globs), `skip`, `times`, `probability`
and `seed`, and is in force until cleared. The kinds are in `faults.KINDS` and in `--help`.

Known limitations: no Insights, subscriptions, metric filters, queries or filter patterns beyond
plain words; storedBytes is always 0; AssumeRole checks the signature and no policy.
"""

from .batch import Event
from .double import StrictCloudWatch
from .faults import Fault
from .quotas import ACCOUNT_QUOTAS
from .record import Call, Violation
from .signature import Identity

__all__ = ["ACCOUNT_QUOTAS", "Call", "Event", "Fault", "Identity", "StrictCloudWatch", "Violation"]
