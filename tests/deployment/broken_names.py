"""Task definitions whose names, mounts and numbers miss each other; test_task_rules.py asks of each."""

from typing import Any

from tests.deployment.breaking import Breaking, app, efs, sidecar, state, variable


def options(container: dict[str, Any]) -> dict[str, str]:
    return container["logConfiguration"]["options"]


def on_ec2(definition: dict[str, Any], region: str | None = "eu-central-1") -> None:
    definition.update(requiresCompatibilities=["EC2"])
    variable(sidecar(definition), "AWS_REGION", region)


def one_port(definition: dict[str, Any]) -> None:
    efs(definition)["transitEncryptionPort"] = state(definition)["transitEncryptionPort"] = 20049


def state_within(definition: dict[str, Any]) -> None:
    variable(sidecar(definition), "SIDECAR_STATE_DIR", "/mnt/efs/state")
    sidecar(definition)["mountPoints"][1]["containerPath"] = "/mnt/efs/state"


def over_etc(definition: dict[str, Any]) -> None:
    app(definition)["mountPoints"].append({"sourceVolume": "efs", "containerPath": "/etc/"})


def greedy_app(definition: dict[str, Any]) -> None:
    app(definition)["memory"] = 2048
    del sidecar(definition)["memory"]


def impatient(definition: dict[str, Any]) -> None:
    sidecar(definition)["healthCheck"].update(startPeriod=0, retries=1)


BROKEN_NAMES: list[tuple[str, str, Breaking]] = [
    ("image_names", "no image", lambda d: app(d).update(image="https://1.dkr.ecr.eu-central-1.amazonaws.com/app:1")),
    ("image_names", "no image", lambda d: app(d).update(image="repo/App:1")),
    ("image_names", "no image", lambda d: app(d).update(image="repo/app@sha256:abc")),
    ("containers_named", "volumesFrom", lambda d: sidecar(d).update(volumesFrom=[{"sourceContainer": "web"}])),
    ("containers_named", "envoy", lambda d: d.update(proxyConfiguration={"containerName": "envoy"})),
    ("secret_sources", "a parameter", lambda d: app(d).update(secrets=[{"name": "X", "valueFrom": "arn:aws:s3:::b/x"}])),
    ("secret_sources", ".env", lambda d: app(d).update(environmentFiles=[{"type": "s3", "value": "s3://b/x.env"}])),
    ("regions", "no region", lambda d: variable(sidecar(d), "AWS_REGION", "eu-central-1a")),
    ("regions", "no region", lambda d: options(app(d)).update({"awslogs-region": "eu-central"})),
    ("regions", "whatever the stack's", lambda d: options(sidecar(d)).update({"awslogs-region": "${AWS::Region}"})),
    ("regions", "on EC2", lambda d: on_ec2(d, region=None)),
    ("group_names", "no name", lambda d: options(app(d)).update({"awslogs-group": "/ecs/a:b"})),
    ("set_by_ecs", "remove it", lambda d: variable(sidecar(d), "ECS_CONTAINER_METADATA_URI_V4", "http://x")),
    ("set_by_ecs", "remove it", lambda d: variable(app(d), "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")),
    ("mounts_over_the_image", "/etc", over_etc),
    ("nested_mounts", "mount it beside", state_within),
    ("tmpfs_sizes", "4096 MiB", lambda d: app(d)["linuxParameters"]["tmpfs"][0].update(size=4096)),
    ("volume_names", "letters", lambda d: d["volumes"].append({"name": "my logs"})),
    ("encryption_ports_apart", "20049", one_port),
    ("health_check_can_fail", "alone", lambda d: sidecar(d)["healthCheck"].update(command=["CMD-SHELL", "sidecar", "healthcheck"])),
    ("health_check_port", "no host's name", lambda d: app(d)["healthCheck"].update(command=["CMD-SHELL", "curl -f http://app:8000/healthz"])),
    ("health_check_can_fail", "no program", lambda d: app(d)["healthCheck"].update(command=["CMD", "-c", "import urllib"])),
    ("sidecar_health", "is no program", lambda d: sidecar(d)["healthCheck"].update(command=["CMD", "healthcheck"])),
    ("somebody_writes", "is empty", lambda d: d["volumes"][0].pop("efsVolumeConfiguration") and app(d)["mountPoints"][0].update(readOnly=True)),
    ("sidecar_variables", "SIDECAR_LOGS", lambda d: variable(sidecar(d), "sidecar_logs", "/x/*")),
    ("sidecar_paths", "..", lambda d: variable(sidecar(d), "SIDECAR_LOGS", "/mnt/efs/../x/*.log")),
    ("sidecar_paths", "is a directory", lambda d: variable(sidecar(d), "SIDECAR_LOGS", "/mnt/efs/logs/")),
    ("sidecar_paths", "not closed", lambda d: variable(sidecar(d), "SIDECAR_LOGS", "/mnt/efs/logs/[ab*.log")),
    ("sidecar_state", "its own state", lambda d: variable(sidecar(d), "SIDECAR_LOGS", "/mnt/**/*.log")),
    ("sidecar_config", "begin with /", lambda d: variable(sidecar(d), "SIDECAR_CONFIG", "sidecar.yaml")),
    ("sidecar_config", "app writes to", lambda d: variable(sidecar(d), "SIDECAR_CONFIG", "/mnt/efs/sidecar.yaml")),
    ("groups_apart", "another name", lambda d: options(app(d)).update({"awslogs-group": "/ecs/reports/artifacts"})),
    ("awslogs", "no size", lambda d: options(app(d)).update({"max-buffer-size": "lots"})),
    ("awslogs", "for ever", lambda d: options(app(d)).update({"awslogs-create-group": "true"})),
    ("sidecar_restarts", "a crash", lambda d: sidecar(d)["restartPolicy"].update(ignoredExitCodes=[0, 1, 2, 137])),
    ("sidecar_memory", "leave it", greedy_app),
    ("sidecar_health_pace", "startPeriod", impatient),
    ("sidecar_health_pace", "that it stalls", lambda d: sidecar(d)["healthCheck"].update(interval=300, retries=10)),
    ("no_root", "unless its image", lambda d: app(d).pop("user")),
]  # fmt: skip
