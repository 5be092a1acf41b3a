"""The stack's bucket and the sidecar that stores large artifacts in it."""

import fnmatch

from sidecar.model.stored_object import content_key
from tests.deployment.definitions import template

from checker.stack.roles import allowed_to  # isort: skip
from checker.template import Template  # isort: skip
from checker.values import listed  # isort: skip


def test_the_role_may_store_what_the_sidecar_stores() -> None:
    """The key begins with the artifacts' log group; the role is allowed that, and no other group's.

    Kills: `${AppName}/*` of the bucket for the Resource, under which the sidecar puts nothing.
    """
    whole = Template(template(), True)
    bucket = "${ArtifactBucket.Arn}/"
    allowed = [
        resource
        for statement in allowed_to(whole, whole.resources["AppTaskRole"])
        if "s3:PutObject" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    group = str(whole.resources["ArtifactLogGroup"].get("LogGroupName"))
    key = content_key(group, "2026/report.pdf", "0" * 64)
    assert any(fnmatch.fnmatchcase(bucket + key, each) for each in allowed), (key, allowed)
    other = content_key("/ecs/other/artifacts", "2026/report.pdf", "0" * 64)
    assert not any(fnmatch.fnmatchcase(bucket + other, each) for each in allowed)
