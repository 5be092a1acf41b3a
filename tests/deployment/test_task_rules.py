"""Every rule of the checker against a definition broken in the way that the rule is for."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.breaking import Breaking, app, efs, sidecar, state, variable
from tests.deployment.broken_names import BROKEN_NAMES
from tests.deployment.definitions import COLLECTOR, EC2, FARGATE, filled

from checker import task  # isort: skip
from checker.check import task_findings  # isort: skip


def without_access_point(definition: dict[str, Any]) -> None:
    efs(definition)["authorizationConfig"] = {"iam": "ENABLED"}
    del efs(definition)["transitEncryption"]


def without_iam(definition: dict[str, Any]) -> None:
    efs(definition)["authorizationConfig"].pop("iam")
    efs(definition)["transitEncryption"] = "DISABLED"


def twice(definition: dict[str, Any]) -> None:
    """The mistake of giving each container its own entry for one access point."""
    state(definition)["authorizationConfig"] = dict(efs(definition)["authorizationConfig"])


def without(container: dict[str, Any], key: str) -> None:
    del container[key]


def second_sidecar(definition: dict[str, Any]) -> None:
    definition["containerDefinitions"].append(json.loads(json.dumps(sidecar(definition))))
    definition["containerDefinitions"][-1]["name"] = "another"


def own_entry(definition: dict[str, Any]) -> None:
    """An entry of its own for the sidecar, through an access point of its own."""
    entry = json.loads(json.dumps(definition["volumes"][0]))
    entry["name"] = "logs"
    entry["efsVolumeConfiguration"]["authorizationConfig"]["accessPointId"] = (
        "fsap-0aaaaaaaaaaaaaaaa"
    )
    definition["volumes"].append(entry)
    sidecar(definition)["mountPoints"][0]["sourceVolume"] = "logs"


def host_network_on_ec2(definition: dict[str, Any]) -> None:
    definition.update(requiresCompatibilities=["EC2"], networkMode="host")


BROKEN: list[tuple[str, str, Breaking]] = [
    ("network_mode", "awsvpc", lambda d: d.update(networkMode="bridge")),
    ("compatibility", "FARGATE", lambda d: d.update(requiresCompatibilities=["EXTERNAL"])),
    ("fargate_size", "cpu '1000'", lambda d: d.update(cpu="1000")),
    ("fargate_size", "2048 to 8192", lambda d: d.update(memory="16384")),
    ("fargate_size", "steps of 1024", lambda d: d.update(memory="2560")),
    ("fargate_size", "cpu ''", lambda d: d.update(cpu="")),
    ("container_shares", "2560 MiB", lambda d: app(d).update(memory=2048)),
    ("container_shares", "memoryReservation", lambda d: app(d).update(memoryReservation=1800)),
    ("not_on_fargate", "privileged", lambda d: app(d).update(privileged=True)),
    (
        "not_on_fargate",
        "sharedMemorySize",
        lambda d: app(d)["linuxParameters"].update(sharedMemorySize=64),
    ),
    (
        "not_on_fargate",
        "capabilities",
        lambda d: app(d)["linuxParameters"]["capabilities"].update(add=["SYS_ADMIN"]),
    ),
    (
        "not_on_fargate",
        "host directories",
        lambda d: d["volumes"].append({"name": "x", "host": {"sourcePath": "/var/log"}}),
    ),
    ("unique_names", "container app", lambda d: sidecar(d).update(name="app")),
    ("unique_names", "volume efs", lambda d: d["volumes"][1].update(name="efs")),
    (
        "unique_names",
        "variable APP_HOST",
        lambda d: app(d)["environment"].append({"name": "APP_HOST", "value": "::"}),
    ),
    (
        "unique_names",
        "mount path /mnt/efs",
        lambda d: sidecar(d)["mountPoints"][1].update(containerPath="/mnt/efs"),
    ),
    (
        "an_essential_container",
        "essential",
        lambda d: [c.update(essential=False) for c in d["containerDefinitions"]],
    ),
    ("ports", "hostPort", lambda d: app(d)["portMappings"][0].update(hostPort=80)),
    (
        "ports",
        "port 8000",
        lambda d: sidecar(d).update(portMappings=[{"containerPort": 8000}]),
    ),
    ("access_point_root", "rootDirectory", lambda d: efs(d).update(rootDirectory="/reports")),
    ("transit_encryption", "an access point", without_iam),
    ("transit_encryption", "iam", without_access_point),
    ("iam_needs_a_task_role", "taskRoleArn", lambda d: d.pop("taskRoleArn")),
    ("one_entry_a_mount", "share one entry", twice),
    ("mount_points", "logs", lambda d: app(d)["mountPoints"][0].update(sourceVolume="logs")),
    (
        "health_checks",
        "CMD",
        lambda d: sidecar(d)["healthCheck"].update(command=["sidecar", "healthcheck"]),
    ),
    ("health_checks", "interval", lambda d: sidecar(d)["healthCheck"].update(interval=2)),
    ("health_checks", "retries", lambda d: sidecar(d)["healthCheck"].update(retries=20)),
    (
        "dependencies",
        "not there",
        lambda d: app(d)["dependsOn"][0].update(containerName="side-car"),
    ),
    ("dependencies", "no health check", lambda d: sidecar(d).pop("healthCheck")),
    ("dependencies", "essential", lambda d: app(d)["dependsOn"][0].update(condition="SUCCESS")),
    (
        "dependency_circle",
        "app, sidecar",
        lambda d: sidecar(d).update(dependsOn=[{"containerName": "app", "condition": "START"}]),
    ),
    ("stop_timeouts", "2 to 120", lambda d: sidecar(d).update(stopTimeout=180)),
    ("stop_timeouts", "2 to 120", lambda d: app(d).update(stopTimeout=1)),
    (
        "restart_policies",
        "60 to 1800",
        lambda d: app(d)["restartPolicy"].update(restartAttemptPeriod=10),
    ),
    ("restart_policies", "not enabled", lambda d: app(d)["restartPolicy"].update(enabled=False)),
    (
        "awslogs",
        "stream-prefix",
        lambda d: app(d)["logConfiguration"]["options"].pop("awslogs-stream-prefix"),
    ),
    (
        "awslogs",
        "max-buffer-size",
        lambda d: app(d)["logConfiguration"]["options"].update(mode="blocking"),
    ),
    ("awslogs", "executionRoleArn", lambda d: d.pop("executionRoleArn")),
    # sizes
    ("network_mode", "of the host", host_network_on_ec2),
    (
        "network_mode",
        "bridge",
        lambda d: (d.update(requiresCompatibilities=["EC2"]), d.pop("networkMode")),
    ),
    ("ephemeral_storage", "21 to 200", lambda d: d.update(ephemeralStorage={"sizeInGiB": 20})),
    ("container_shares", "cpu, 1100", lambda d: app(d).update(cpu=1100)),
    (
        "container_shares",
        "ECS refuses",
        lambda d: (
            d.update(requiresCompatibilities=["EC2"]),
            d.pop("memory"),
            app(d).pop("memory"),
        ),
    ),
    ("not_on_fargate", "pidMode", lambda d: d.update(pidMode="host")),
    ("not_on_fargate", "ipcMode", lambda d: d.update(ipcMode="host")),
    (
        "not_on_fargate",
        "nproc",
        lambda d: app(d).update(ulimits=[{"name": "nproc", "softLimit": 1, "hardLimit": 1}]),
    ),
    # containers
    ("containers", "no container", lambda d: d.update(containerDefinitions=[])),
    ("containers", "image is missing", lambda d: app(d).pop("image")),
    ("ports", "70000", lambda d: app(d)["portMappings"][0].update(containerPort=70000)),
    (
        "ports",
        "port name http",
        lambda d: sidecar(d).update(portMappings=[{"name": "http", "containerPort": 1}]),
    ),
    (
        "health_checks",
        "longer than its interval",
        lambda d: app(d)["healthCheck"].update(timeout=20),
    ),
    ("environment_values", "APP_HOST is empty", lambda d: variable(app(d), "APP_HOST", "")),
    # volumes
    (
        "volume_ids",
        "fileSystemId",
        lambda d: efs(d).update(fileSystemId="arn:aws:elasticfilesystem:x"),
    ),
    (
        "volume_ids",
        "accessPointId",
        lambda d: efs(d)["authorizationConfig"].update(accessPointId="ap"),
    ),
    ("access_point", "own root", lambda d: efs(d)["authorizationConfig"].pop("accessPointId")),
    ("mount_with_iam", "ENABLED", lambda d: efs(d)["authorizationConfig"].update(iam="DISABLED")),
    (
        "mount_points",
        "absolute path",
        lambda d: app(d)["mountPoints"][0].update(containerPath="mnt"),
    ),
    ("volume_unused", "volume x", lambda d: d["volumes"].append({"name": "x"})),
    ("somebody_writes", "read-only", lambda d: app(d)["mountPoints"][0].update(readOnly=True)),
    # the sidecar
    ("sidecar_variables", "SIDECAR_LOGS", lambda d: variable(sidecar(d), "SIDECAR_LOG", "/x/*")),
    (
        "sidecar_has_work",
        "which files",
        lambda d: (
            variable(sidecar(d), "SIDECAR_LOGS", None),
            variable(sidecar(d), "SIDECAR_ARTIFACTS", None),
        ),
    ),
    (
        "sidecar_has_work",
        "where to ship",
        lambda d: variable(sidecar(d), "SIDECAR_LOG_GROUP", None),
    ),
    (
        "sidecar_has_work",
        "no name of",
        lambda d: variable(sidecar(d), "SIDECAR_LOG_GROUP", "aws/x y"),
    ),
    (
        "sidecar_paths",
        "none of its mounts",
        lambda d: variable(sidecar(d), "SIDECAR_LOGS", "/var/log/*.log"),
    ),
    ("sidecar_paths", "begin with /", lambda d: variable(sidecar(d), "SIDECAR_LOGS", "logs/*.log")),
    (
        "sidecar_state",
        "no EFS volume",
        lambda d: variable(sidecar(d), "SIDECAR_STATE_DIR", "/tmp/state"),
    ),
    (
        "sidecar_state",
        "its own",
        lambda d: variable(sidecar(d), "SIDECAR_STATE_DIR", "/mnt/efs/.sidecar"),
    ),
    ("sidecar_state", "share one access point", twice),
    ("sidecar_state", "read-only", lambda d: sidecar(d)["mountPoints"][1].update(readOnly=True)),
    (
        "sidecar_state",
        "its own state",
        lambda d: variable(sidecar(d), "SIDECAR_LOGS", "/mnt/state/*.log"),
    ),
    (
        "sidecar_reads_only",
        "readOnly",
        lambda d: sidecar(d)["mountPoints"][0].update(readOnly=False),
    ),
    ("sidecar_reads_only", "readOnly", lambda d: sidecar(d)["mountPoints"][0].pop("readOnly")),
    ("sidecar_shares_the_volume", "in both", own_entry),
    ("sidecar_shares_the_volume", "to read from", lambda d: sidecar(d)["mountPoints"].pop(0)),
    ("sidecar_shares_the_volume", "mount it there", lambda d: app(d).pop("mountPoints")),
    ("one_reader", "sidecar and another", second_sidecar),
    # order
    ("sidecar_health", "never replaced", lambda d: sidecar(d).pop("healthCheck")),
    (
        "sidecar_health",
        "must ask it",
        lambda d: sidecar(d)["healthCheck"].update(command=["CMD-SHELL", "exit 0"]),
    ),
    (
        "sidecar_health",
        "/healthz",
        lambda d: sidecar(d)["healthCheck"].update(
            command=["CMD-SHELL", "wget localhost:9464/readyz"]
        ),
    ),
    ("sidecar_stop", "left out, 30", lambda d: sidecar(d).pop("stopTimeout")),
    ("sidecar_stop", "110", lambda d: sidecar(d).update(stopTimeout=60)),
    ("app_stops_first", "depend on sidecar", lambda d: app(d).pop("dependsOn")),
    (
        "app_stops_first",
        "turn it round",
        lambda d: (
            app(d).pop("dependsOn"),
            sidecar(d).update(dependsOn=[{"containerName": "app", "condition": "HEALTHY"}]),
        ),
    ),
    (
        "essential_and_healthy",
        "not START",
        lambda d: app(d)["dependsOn"][0].update(condition="START"),
    ),
    ("essential_and_healthy", "make it essential", lambda d: sidecar(d).update(essential=False)),
    (
        "essential_and_healthy",
        "nobody ships",
        lambda d: (sidecar(d).update(essential=False), sidecar(d).pop("restartPolicy")),
    ),
    ("app_is_essential", "lives on without it", lambda d: app(d).update(essential=False)),
    ("log_level", "progress lines", lambda d: variable(sidecar(d), "SIDECAR_LOG_LEVEL", "warning")),
    ("log_level", "none of", lambda d: variable(sidecar(d), "SIDECAR_LOG_LEVEL", "loud")),
    # logging
    (
        "printed_lines_are_kept",
        "what it prints is lost",
        lambda d: sidecar(d).pop("logConfiguration"),
    ),
    (
        "awslogs",
        "non-blocking",
        lambda d: sidecar(d)["logConfiguration"]["options"].update(mode="blocking"),
    ),
    # security
    ("read_only_root", "readonlyRootFilesystem", lambda d: app(d).pop("readonlyRootFilesystem")),
    ("no_root", "runs as root", lambda d: sidecar(d).update(user="0:0")),
    (
        "no_root",
        "gives it the host",
        lambda d: (d.update(requiresCompatibilities=["EC2"]), app(d).update(privileged=True)),
    ),
    (
        "host_namespaces",
        "pidMode host",
        lambda d: d.update(requiresCompatibilities=["EC2"], pidMode="host"),
    ),
    (
        "host_directories",
        "stays behind",
        lambda d: (
            d.update(requiresCompatibilities=["EC2"]),
            d["volumes"].append({"name": "x", "host": {"sourcePath": "/x"}}),
        ),
    ),
    (
        "secrets_in_the_open",
        "AWS_SECRET_ACCESS_KEY",
        lambda d: variable(app(d), "AWS_SECRET_ACCESS_KEY", "x"),
    ),
    ("secrets_in_the_open", "DB_PASSWORD", lambda d: variable(app(d), "DB_PASSWORD", "x")),
    (
        "secrets_need_an_execution_role",
        "fetch",
        lambda d: (
            d.pop("executionRoleArn"),
            app(d).update(secrets=[{"name": "X", "valueFrom": "arn"}]),
        ),
    ),
    ("a_moving_image", "latest", lambda d: app(d).update(image="repo/app:latest")),
    (
        "a_moving_image",
        "no tag",
        lambda d: app(d).update(image="123456789012.dkr.ecr.eu-central-1.amazonaws.com/app"),
    ),
    ("roles", "each its own", lambda d: d.update(taskRoleArn=d["executionRoleArn"])),
    ("roles", "no role's ARN", lambda d: d.update(taskRoleArn="reports-task")),
    ("roles", "no taskRoleArn", lambda d: d.pop("taskRoleArn")),
    # what misses each other
    ("names", "family", lambda d: d.update(family="my app")),
    ("names", "its name", lambda d: app(d).update(name="my app")),
    (
        "hidden_mounts",
        "hides",
        lambda d: app(d)["linuxParameters"]["tmpfs"][0].update(containerPath="/mnt"),
    ),
    ("app_volume", "APP_VOLUME /data", lambda d: variable(app(d), "APP_VOLUME", "/data")),
    (
        "every_mount_is_read",
        "where neither",
        lambda d: sidecar(d)["mountPoints"].append(
            {"sourceVolume": "efs", "containerPath": "/x", "readOnly": True}
        ),
    ),
    ("sidecar_port", "app's port", lambda d: variable(sidecar(d), "SIDECAR_HTTP_PORT", "8000")),
    ("sidecar_port", "no port", lambda d: variable(sidecar(d), "SIDECAR_HTTP_PORT", "94x")),
    (
        "sidecar_process",
        "SIGTERM",
        lambda d: sidecar(d).update(entryPoint=["sh", "-c", "sidecar run"]),
    ),
    ("sidecar_restarts", "enable", lambda d: sidecar(d).pop("restartPolicy")),
    (
        "sidecar_restarts",
        "ignoredExitCodes",
        lambda d: sidecar(d)["restartPolicy"].pop("ignoredExitCodes"),
    ),
    ("sidecar_memory", "too little", lambda d: sidecar(d).update(memory=64)),
    (
        "sidecar_platform",
        "LINUX",
        lambda d: d["runtimePlatform"].update(operatingSystemFamily="WINDOWS_SERVER_2022_CORE"),
    ),
    ("encryption_port", "no port", lambda d: efs(d).update(transitEncryptionPort=99999)),
    (
        "log_drivers",
        "not to be had",
        lambda d: app(d)["logConfiguration"].update(logDriver="syslog"),
    ),
    (
        "log_drivers",
        "no option",
        lambda d: app(d)["logConfiguration"]["options"].update({"awslogs-grp": "x"}),
    ),
    (
        "groups_apart",
        "another name",
        lambda d: sidecar(d)["logConfiguration"]["options"].update(
            {"awslogs-group": "/ecs/reports"}
        ),
    ),
    (
        "groups_apart",
        "make them one",
        lambda d: sidecar(d)["logConfiguration"]["options"].update({"awslogs-region": "us-east-1"}),
    ),
    # who listens where
    (
        "health_check_can_fail",
        "never fails",
        lambda d: sidecar(d)["healthCheck"].update(
            command=["CMD-SHELL", "sidecar healthcheck || true"]
        ),
    ),
    (
        "health_check_can_fail",
        "a word each",
        lambda d: sidecar(d)["healthCheck"].update(command=["CMD", "sidecar healthcheck"]),
    ),
    (
        "health_check_port",
        "asks port 8080",
        lambda d: app(d)["healthCheck"].update(
            command=["CMD-SHELL", "curl -f http://localhost:8080/healthz"]
        ),
    ),
    (
        "health_check_port",
        "asks port 9000",
        lambda d: sidecar(d)["healthCheck"].update(
            command=["CMD-SHELL", "wget -qO- http://127.0.0.1:9000/healthz"]
        ),
    ),
    ("app_port", "APP_PORT is 8080", lambda d: variable(app(d), "APP_PORT", "8080")),
    ("app_port", "loopback", lambda d: variable(app(d), "APP_HOST", "127.0.0.1")),
    ("sidecar_page", "no password", lambda d: variable(sidecar(d), "SIDECAR_HTTP_HOST", "0.0.0.0")),
    (
        "sidecar_page",
        "drop the mapping",
        lambda d: sidecar(d).update(portMappings=[{"containerPort": 9464}]),
    ),
    ("sidecar_name", "every task's", lambda d: variable(sidecar(d), "SIDECAR_TASK", "reports")),
    (
        "sidecar_paths",
        "with a comma",
        lambda d: variable(sidecar(d), "SIDECAR_LOGS", "/mnt/efs/a/*.log;/mnt/efs/b/*.log"),
    ),
    ("sidecar_process", "what ships", lambda d: sidecar(d).update(command=["status"])),
    ("secrets_in_the_open", "MYSQL_PWD", lambda d: variable(app(d), "MYSQL_PWD", "x")),
    ("secrets_in_the_open", "LICENCE", lambda d: variable(app(d), "LICENCE", "AKIA" + "A" * 16)),
    (
        "secrets_in_the_open",
        "DATABASE stands in the open",
        lambda d: variable(app(d), "DATABASE", "postgres://app:pw@db/reports"),
    ),
    (
        "secrets_in_the_open",
        "its command",
        lambda d: app(d).update(command=["serve", "--db-password=hunter2"]),
    ),
    ("secrets_in_the_open", "profiles", lambda d: variable(sidecar(d), "AWS_PROFILE", "prod")),
    (
        "secrets_in_the_open",
        "stand-in",
        lambda d: variable(sidecar(d), "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://stub:5000"),
    ),
    ("a_moving_image", "tag main", lambda d: app(d).update(image="repo/app:main")),
    (
        "roles",
        "of accounts",
        lambda d: d.update(executionRoleArn="arn:aws:iam::999999999999:role/reports-execution"),
    ),
    (
        "groups_apart",
        "app: prints",
        lambda d: app(d)["logConfiguration"]["options"].update({"awslogs-group": "/ecs/reports"}),
    ),
    (
        "groups_apart",
        "awslogs-region are",
        lambda d: app(d)["logConfiguration"]["options"].update({"awslogs-region": "us-east-1"}),
    ),
    (
        "log_drivers",
        "firelensConfiguration",
        lambda d: app(d).update(logConfiguration={"logDriver": "awsfirelens"}),
    ),
    ("stop_timeouts", "startTimeout is", lambda d: sidecar(d).update(startTimeout=300)),
    ("stop_timeouts", "first health check", lambda d: sidecar(d).update(startTimeout=5)),
    (
        "not_with_awsvpc",
        "links",
        lambda d: (d.update(requiresCompatibilities=["EC2"]), sidecar(d).update(links=["app"])),
    ),
    ("capabilities", "drop all", lambda d: app(d)["linuxParameters"].pop("capabilities")),
    *BROKEN_NAMES,
]


@pytest.mark.parametrize(("rule", "word", "breaking"), BROKEN)
def test_a_rule_catches_its_broken_example(rule: str, word: str, breaking: Breaking) -> None:
    """The rule named for it complains and says what, once the model has seen what it sees."""
    definition = filled()
    breaking(definition)
    said = [found.text for found in task_findings(definition) if found.rule == rule]
    assert any(word in text for text in said), task_findings(definition)


def test_every_rule_has_a_broken_example() -> None:
    """A rule without one could be empty."""
    assert {rule.__name__ for rule in task.RULES} == {name for name, _, _ in BROKEN}


HARMLESS: list[Breaking] = [
    lambda d: variable(app(d), "PASSWORD_FILE", "/run/secrets/db"),
    lambda d: variable(app(d), "TOKEN_TTL", "300"),
    lambda d: variable(app(d), "SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:1:secret:x"),
    lambda d: variable(app(d), "COMPASS", "north"),
    lambda d: variable(app(d), "DATABASE_URL", "postgres://db.internal:5432/reports"),
    lambda d: variable(sidecar(d), "AWS_ENDPOINT_URL", "https://vpce-1.logs.eu-central-1.vpce.amazonaws.com"),
    lambda d: app(d).update(image="repo/app:1.4.2-main.7"),
    lambda d: app(d).update(image="repo/app:latest@sha256:" + "a" * 64),
    lambda d: app(d).update(command=["serve", "--token-ttl=300", "--password-file=/run/x"]),
    lambda d: sidecar(d).update(command=["run", "--config", "/etc/sidecar.yaml"]),
    lambda d: app(d)["healthCheck"].update(
        command=["CMD-SHELL", "curl -fs http://localhost:8000/healthz || exit 1"]
    ),
    lambda d: sidecar(d)["healthCheck"].update(
        command=["CMD-SHELL", "wget -qO- http://localhost:9464/healthz"]
    ),
    lambda d: (
        variable(sidecar(d), "SIDECAR_HTTP_HOST", "0.0.0.0"),
        sidecar(d).update(portMappings=[{"containerPort": 9464}]),
    ),
    lambda d: sidecar(d).update(startTimeout=90),
    lambda d: app(d).update(image="public.ecr.aws/nginx/nginx:1.27-alpine"),
    lambda d: app(d).update(secrets=[{"name": "X", "valueFrom": "/prod/reports/db"}]),
    lambda d: app(d)["logConfiguration"]["options"].update({"max-buffer-size": "4mb"}),
    lambda d: (
        sidecar(d)["mountPoints"].pop(0),
        sidecar(d).update(volumesFrom=[{"sourceContainer": "app", "readOnly": True}]),
    ),
    lambda d: variable(sidecar(d), "SIDECAR_CONFIG", "/etc/sidecar.yaml"),
    lambda d: sidecar(d)["restartPolicy"].update(ignoredExitCodes=[2, 3]),
    lambda d: sidecar(d)["linuxParameters"].pop("tmpfs"),
]  # fmt: skip


@pytest.mark.parametrize("changing", HARMLESS)
def test_what_only_looks_like_a_mistake_has_no_finding(changing: Breaking) -> None:
    """A rule that cries at sound files is soon ignored, with the rest."""
    definition = filled()
    changing(definition)
    assert task_findings(definition) == []


@pytest.mark.parametrize("path", [FARGATE, EC2, COLLECTOR], ids=lambda path: path.name)
@pytest.mark.parametrize("architecture", ["X86_64", "ARM64"])
def test_our_own_definitions_have_no_finding(path: Path, architecture: str) -> None:
    """Filled in, for both processor architectures, against the API's model and every rule."""
    assert task_findings(filled(path, CPU_ARCHITECTURE=architecture)) == []


@pytest.mark.parametrize(
    ("word", "breaking"),
    [
        ("memroy", lambda d: d.update(memroy="2048")),
        ("family", lambda d: d.pop("family")),
        ("stopTimeout", lambda d: app(d).update(stopTimeout="30")),
        ("containerDefinitions", lambda d: d.update(containerDefinitions={"app": {}})),
        ("ENABELD", lambda d: efs(d).update(transitEncryption="ENABELD")),
        ("x86_64", lambda d: d["runtimePlatform"].update(cpuArchitecture="x86_64")),
        ("condition", lambda d: app(d)["dependsOn"][0].update(condition="healthy")),
    ],
)
def test_the_model_catches_names_types_and_enumerations(word: str, breaking: Breaking) -> None:
    """The first are botocore's own doing, the last three are what it lets through."""
    definition = filled()
    breaking(definition)
    said = [found.text for found in task_findings(definition) if found.rule == "ecs_model"]
    assert any(word in text for text in said)
