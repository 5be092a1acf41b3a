"""Every rule for policies."""

from checker import granted, policy

RULES = (*policy.RULES, *granted.RULES)
