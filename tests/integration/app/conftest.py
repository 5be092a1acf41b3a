"""One app that the tests of single requests share."""

from collections.abc import Iterator

import pytest

from tests.integration.app.server import App, running


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app with a small upload limit."""
    volume = tmp_path_factory.mktemp("app") / "volume"
    with running(volume, MAX_UPLOAD="2MB", UPLOAD_IDLE="1s") as app:
        yield app
