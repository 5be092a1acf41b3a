"""What the parts of the demo have agreed on."""

REGION = "eu-central-1"
TASK = "demo"
LINES = "/demo/app"
ARTIFACTS = f"{LINES}/artifacts"  # the sidecar's default
