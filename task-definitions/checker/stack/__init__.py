"""Rules for templates: what CloudFormation takes and the deployment then suffers from."""

from checker.stack import (
    access_points,
    agreement,
    execution,
    file_system,
    fleets,
    functions,
    network,
    observed,
    roles,
    routes,
    service,
    shown,
    storage,
)

RULES = (
    *file_system.RULES,
    *access_points.RULES,
    *network.RULES,
    *routes.RULES,
    *roles.RULES,
    *execution.RULES,
    *service.RULES,
    *functions.RULES,
    *fleets.RULES,
    *observed.RULES,
    *shown.RULES,
    *storage.RULES,
    *agreement.RULES,
)
