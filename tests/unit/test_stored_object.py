"""The key of a content: one for each, lawful for S3 whatever the file is called."""

import hashlib

import pytest

from sidecar.model.stored_object import LONGEST_KEY, Wanted, content_key

SHA = hashlib.sha256(b"content").hexdigest()


def test_a03_key_names_group_artifact_and_content() -> None:
    """GROUP/NAME/SHA256, without the slash that group names begin with."""
    assert content_key("/ecs/reports", "deep/a.csv", SHA) == f"ecs/reports/deep/a.csv/{SHA}"


@pytest.mark.parametrize(
    "name",
    [
        "a" * 2000,
        "€" * 700,
        "x" + "é" * 600,
        "nul\x00 and \x1b",
        "lone \udcff",
        "\uffff",
        "a" * 940,
    ],
    ids=["ascii", "three bytes", "two bytes", "control", "surrogate", "no character", "just fits"],
)
def test_a03_key_is_lawful(name: str) -> None:
    """At most 1,024 bytes of UTF-8 without what XML cannot carry; the digest is whole.

    Catches: counting characters for bytes; cutting inside a character.
    """
    key = content_key("/ecs/reports", name, SHA)
    assert len(key.encode()) <= LONGEST_KEY
    assert key.endswith(f"/{SHA}")
    assert key.isprintable()


def test_a03_long_names_with_one_end_have_two_keys() -> None:
    """What is cut off still tells them apart."""
    first, second = (content_key("g", letter + "x" * 2000, SHA) for letter in "ab")
    assert first != second


def test_a03_prefix_is_of_all_versions() -> None:
    """What the keys of an artifact's versions share ends before the digest."""
    wanted = Wanted("b", content_key("/g", "a.csv", SHA), SHA, 1, "")
    assert wanted.prefix == "g/a.csv/"
