"""Rules for task definitions: each catches one way to be accepted by ECS and fail later."""

from checker.task import (
    containers,
    listening,
    logging,
    mounts,
    order,
    reach,
    references,
    security,
    sidecar,
    sizes,
    volumes,
)

RULES = (
    *sizes.RULES,
    *containers.RULES,
    *volumes.RULES,
    *mounts.RULES,
    *references.RULES,
    *sidecar.RULES,
    *order.RULES,
    *reach.RULES,
    *listening.RULES,
    *logging.RULES,
    *security.RULES,
)
