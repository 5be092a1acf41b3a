"""The reference workload: a dataset service that writes logs and artifacts to the volume."""
