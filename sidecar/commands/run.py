"""`sidecar run`: tail and ship until told to stop, then drain."""

from collections.abc import Mapping
from pathlib import Path

from sidecar.settings import load
from sidecar.signals import Signals


def run(config: Path | None, environ: Mapping[str, str]) -> int:
    """0 drained, 3 backlog left at the deadline; ConfigurationError and StateError pass through.

    The settings are read before anything else is imported, so that a mistake in them shows at once.
    """
    settings = load(config, environ)
    signals = Signals()
    signals.install()
    from sidecar import bootstrap

    return bootstrap.run(settings, lambda: load(config, environ), signals)
