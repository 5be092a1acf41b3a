"""Rules for templates: what CloudFormation takes and the deployment then suffers from."""

from checker.stack import (
    access_points,
    agreement,
    file_system,
    fleets,
    functions,
    network,
    observed,
    roles,
    service,
    storage,
)

RULES = (
    *file_system.RULES,
    *access_points.RULES,
    *network.RULES,
    *roles.RULES,
    *service.RULES,
    *functions.RULES,
    *fleets.RULES,
    *observed.RULES,
    *storage.RULES,
    *agreement.RULES,
)
