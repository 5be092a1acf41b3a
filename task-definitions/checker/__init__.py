"""Checks task definitions, templates and policies before AWS sees them."""
