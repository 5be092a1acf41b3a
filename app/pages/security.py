"""What a page may do in a browser: uploads are strangers' files, and names come from them."""

import base64
import hashlib

# A profile is a page without scripts, and nothing in it can load or send anything.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def policy_with_script(script: str) -> str:
    """Exactly this inline script may run; it and the form may talk to the service."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
