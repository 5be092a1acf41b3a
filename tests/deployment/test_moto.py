"""The stack, deployed to moto as far as that carries; what it drops, through the APIs themselves.

moto makes the template's network, file system, roles, load balancer, cluster, services, functions
and log groups. It drops the EFS volume of a task definition, the file system of a function, alarms,
metric filters and scaling, and gives no ids of access points: those are asked of the APIs, with
what the template says, and read back.
"""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.deployment.definitions import COLLECTOR, DEFINITIONS, FARGATE, ROOT, STACK, template

from checker.task.conversion import as_definition  # isort: skip
from checker.template import Template  # isort: skip

# moto says what it does not make; the test below says it too.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")

REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto"}
NAME = "reports"
GIVEN = {"AppTag": "1.0", "SidecarTag": "1.0", "FunctionCodeBucket": "code"}
# What moto has no CloudFormation support for, beside what it makes.
NOT_MADE = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
    "AWS::EC2::VPCEndpoint",
    "AWS::Lambda::Alias",
    "AWS::Logs::MetricFilter",
}


class Account:
    """A moto server and clients of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service.rstrip("_").replace("_", "-"),
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id="moto",
                aws_secret_access_key="moto",
            )
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    account = Account(f"http://{host}:{port}")
    account.s3.create_bucket(
        Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    account.s3.put_object(Bucket="code", Key="function-1.zip", Body=packed())
    yield account
    account.close()
    server.stop()


def packed() -> bytes:
    """The function's ZIP file, as the README makes it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in sorted((DEFINITIONS / "function").glob("*.py")):
            archive.write(file, file.name)
    return content.getvalue()


@pytest.fixture(scope="module")
def stack(account: Account) -> dict[str, Any]:
    account.cloudformation.create_stack(
        StackName=NAME,
        TemplateBody=STACK.read_text(),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in GIVEN.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (found,) = account.cloudformation.describe_stacks(StackName=NAME)["Stacks"]
    return dict(found)


@pytest.fixture(scope="module")
def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


@pytest.fixture(scope="module")
def whole() -> Template:
    """The template with every condition met, resolved."""
    document = template()
    for name, value in GIVEN.items():
        document["Parameters"][name]["Default"] = value
    return Template(document, True)


def test_the_stack_is_made(account: Account, stack: dict[str, Any]) -> None:
    """Complete, with everything of the template that moto makes, and its outputs."""
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = account.cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]
    types = {each.get("ResourceType") for each in made}
    document = Template({**template()}, None)
    document_types = {each["Type"] for each in template()["Resources"].values()}
    never = {"AWS::S3::Bucket", "AWS::S3::BucketPolicy"}  # MakeArtifactBucket is false
    nat = {"AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::Route"}
    gateway = {"AWS::EC2::InternetGateway", "AWS::EC2::VPCGatewayAttachment"}
    assert document_types - types <= NOT_MADE | never | nat | gateway
    assert len(made) >= len(document.resources) // 2


def test_the_file_system_is_as_the_template_says(account: Account, outputs: dict[str, str]) -> None:
    """Encrypted, elastic, a lifecycle of three, backed up, a mount target in each zone."""
    (system,) = account.efs.describe_file_systems(FileSystemId=outputs["FileSystemId"])[
        "FileSystems"
    ]
    assert system["Encrypted"] is True
    assert system["ThroughputMode"] == "elastic"
    targets = account.efs.describe_mount_targets(FileSystemId=outputs["FileSystemId"])
    zones = {target["AvailabilityZoneName"] for target in targets["MountTargets"]}
    assert len(zones) == 2
    policies = account.efs.describe_lifecycle_configuration(FileSystemId=outputs["FileSystemId"])
    assert all(len(each) == 1 for each in policies["LifecyclePolicies"])
    assert len(policies["LifecyclePolicies"]) == 3


def test_only_tasks_and_functions_reach_the_mount_targets(account: Account, stack: object) -> None:
    """Port 2049, from their three groups, and from no address."""
    groups = account.ec2.describe_security_groups()["SecurityGroups"]
    (closed,) = [g for g in groups if g["Description"].startswith("The mount targets")]
    known = {g["GroupId"]: g["Description"].split(",")[0].split(" that")[0] for g in groups}
    let_in = set()
    for rule in closed["IpPermissions"]:
        assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (2049, 2049, [])
        let_in |= {known[pair["GroupId"]] for pair in rule["UserIdGroupPairs"]}
    assert let_in == {"Tasks of the app", "Tasks", "The functions"}


@pytest.fixture(scope="module")
def points(account: Account, whole: Template, outputs: dict[str, str]) -> dict[str, str]:
    """The template's access points, made through EFS's API: their ids by logical name."""
    found = {}
    for point in whole.of_type("AWS::EFS::AccessPoint"):
        user, root = point.get("PosixUser"), point.get("RootDirectory")
        creation = root["CreationInfo"]
        made = account.efs.create_access_point(
            ClientToken=point.name,
            FileSystemId=outputs["FileSystemId"],
            PosixUser={key: int(value) for key, value in user.items()},
            RootDirectory={
                "Path": root["Path"],
                "CreationInfo": {
                    "OwnerUid": int(creation["OwnerUid"]),
                    "OwnerGid": int(creation["OwnerGid"]),
                    "Permissions": creation["Permissions"],
                },
            },
        )
        found[point.name] = made["AccessPointId"]
    return found


def test_access_points_are_kept_apart(account: Account, points: dict[str, str]) -> None:
    """Five of them, no two with one root or one user."""
    read = [
        account.efs.describe_access_points(AccessPointId=each)["AccessPoints"][0]
        for each in points.values()
    ]
    assert len(read) == 5
    assert len({each["RootDirectory"]["Path"] for each in read}) == 5
    assert len({each["PosixUser"]["Uid"] for each in read}) == 5


def placeholders(outputs: dict[str, str], points: dict[str, str]) -> dict[str, str]:
    """What moto's outputs cannot give, and what is no output."""
    registry = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
    return {
        "APP_IMAGE": f"{registry}/app:1.0",
        "SIDECAR_IMAGE": f"{registry}/sidecar:1.0",
        "CPU_ARCHITECTURE": "X86_64",
        "APP_ACCESS_POINT_ID": points["AppAccessPoint"],
        "STATE_ACCESS_POINT_ID": points["AppStateAccessPoint"],
        "FUNCTION1_ACCESS_POINT_ID": points["Function1AccessPoint"],
        "FUNCTION2_ACCESS_POINT_ID": points["Function2AccessPoint"],
        "COLLECTOR_STATE_ACCESS_POINT_ID": points["CollectorStateAccessPoint"],
    }


def requests_of(client: Any, operation: str) -> list[dict[str, Any]]:
    """The bodies of the requests that the client will make of this operation."""
    bodies: list[dict[str, Any]] = []

    def keep(params: dict[str, Any], **_: object) -> None:
        bodies.append(json.loads(params["body"]))

    client.meta.events.register(f"before-call.{operation}", keep)
    return bodies


def registered(account: Account, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **CREDENTIALS, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    environment["AWS_ENDPOINT_URL"] = account.url
    command = [sys.executable, "-m", "task-definitions", "register", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("path", "logical"),
    [(FARGATE, "AppTaskDefinition"), (COLLECTOR, "CollectorTaskDefinition")],
    ids=["app", "collector"],
)
def test_what_is_registered_by_the_command_is_the_template_s(
    account: Account,
    whole: Template,
    outputs: dict[str, str],
    points: dict[str, str],
    path: Any,
    logical: str,
) -> None:
    """`register --stack` fills the file in and registers it; ECS gives back the template's twin."""
    given = placeholders(outputs, points)
    sets = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    done = registered(account, str(path), "--stack", NAME, *sets)
    assert (done.returncode, done.stderr) == (0, "")
    answer = account.ecs.describe_task_definition(taskDefinition=done.stdout.strip())
    found = answer["taskDefinition"]
    twin = as_definition(whole.resources[logical].properties)
    for key in ("networkMode", "cpu", "memory", "requiresCompatibilities", "runtimePlatform"):
        assert found[key] == twin[key]
    access = {
        v["name"]: v["efsVolumeConfiguration"]["authorizationConfig"]["accessPointId"]
        for v in found["volumes"]
    }
    assert access == {
        v["name"]: points[
            v["efsVolumeConfiguration"]["authorizationConfig"]["accessPointId"].strip("${}")
        ]
        for v in twin["volumes"]
    }
    by_name = {c["name"]: c for c in twin["containerDefinitions"]}
    for container in found["containerDefinitions"]:
        same = by_name[container["name"]]
        assert set(same) <= set(container)
        for key in same.keys() - {"image", "environment", "logConfiguration"}:
            assert container[key] == same[key], key
        names = {each["name"] for each in container["environment"]}
        assert names == {each["name"] for each in same["environment"]}


def test_what_is_wrong_is_not_registered(account: Account, stack: object) -> None:
    """A missing value is named; nothing reaches ECS."""
    done = registered(account, str(FARGATE), "--stack", NAME)
    assert done.returncode == 2
    assert "APP_IMAGE" in done.stderr
    assert "Traceback" not in done.stderr
    absent = registered(account, str(FARGATE), "--stack", "absent")
    assert absent.returncode == 2
    assert "AWS says no" in absent.stderr


def test_services_overlap_and_go_back(
    account: Account, whole: Template, outputs: dict[str, str], stack: object
) -> None:
    """Created through ECS with what the template says, network and all, and read back.

    moto forgets how it deploys, so that is read back from the request that ECS would get.
    """
    sent = requests_of(account.ecs, "ecs.CreateService")
    subnets = [s["SubnetId"] for s in account.ec2.describe_subnets()["Subnets"]][:2]
    group = account.ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    for name, family in (
        ("AppService", "AppTaskDefinition"),
        ("CollectorService", "CollectorTaskDefinition"),
    ):
        service = as_definition(whole.resources[name].properties)
        account.ecs.create_service(
            cluster=outputs["ClusterName"],
            serviceName=name,
            taskDefinition=whole.resources[family].get("Family"),
            desiredCount=1,
            launchType="FARGATE",
            deploymentConfiguration=service["deploymentConfiguration"],
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": subnets,
                    "securityGroups": [group],
                    "assignPublicIp": "DISABLED",
                }
            },
        )
        (found,) = account.ecs.describe_services(cluster=outputs["ClusterName"], services=[name])[
            "services"
        ]
        assert sent[-1]["deploymentConfiguration"] == {
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        }
        network = found["networkConfiguration"]["awsvpcConfiguration"]
        assert (sorted(network["subnets"]), network["assignPublicIp"]) == (
            sorted(subnets),
            "DISABLED",
        )


def test_the_service_scales_between_its_bounds(
    account: Account, whole: Template, outputs: dict[str, str]
) -> None:
    """Registered with Application Auto Scaling as the template says, and read back."""
    target = whole.resources["AppScaling"]
    policy = whole.resources["AppScalingByCpu"]
    resource = f"service/{outputs['ClusterName']}/{outputs['ServiceName']}"
    scaling = account.application_autoscaling
    scaling.register_scalable_target(
        ServiceNamespace=target.get("ServiceNamespace"),
        ResourceId=resource,
        ScalableDimension=target.get("ScalableDimension"),
        MinCapacity=target.get("MinCapacity"),
        MaxCapacity=target.get("MaxCapacity"),
    )
    scaling.put_scaling_policy(
        PolicyName=policy.get("PolicyName"),
        PolicyType=policy.get("PolicyType"),
        ServiceNamespace="ecs",
        ResourceId=resource,
        ScalableDimension=target.get("ScalableDimension"),
        TargetTrackingScalingPolicyConfiguration=policy.get(
            "TargetTrackingScalingPolicyConfiguration"
        ),
    )
    (found,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (2, 6)
    (read,) = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    assert read["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 60


def test_each_function_mounts_its_own_access_point(
    account: Account, whole: Template, points: dict[str, str], stack: object
) -> None:
    """Created through Lambda with its file system and its network.

    moto forgets the file system, so it is read back from the request that Lambda would get.
    """
    sent = requests_of(account.lambda_, "lambda.CreateFunction")
    role = account.iam.list_roles()["Roles"][0]["Arn"]
    for name in ("Function1", "Function2"):
        function = whole.resources[name]
        (config,) = function.get("FileSystemConfigs")
        logical = config["Arn"].rpartition("/")[2].strip("${}")
        arn = f"arn:aws:elasticfilesystem:{REGION}:123456789012:access-point/{points[logical]}"
        account.lambda_.create_function(
            FunctionName=name,
            Runtime=function.get("Runtime"),
            Handler=function.get("Handler"),
            Role=role,
            Timeout=function.get("Timeout"),
            MemorySize=function.get("MemorySize"),
            Environment=function.get("Environment"),
            Code={"S3Bucket": "code", "S3Key": "function-1.zip"},
            FileSystemConfigs=[{"Arn": arn, "LocalMountPath": config["LocalMountPath"]}],
        )
        assert sent[-1]["FileSystemConfigs"] == [{"Arn": arn, "LocalMountPath": "/mnt/function"}]
        found = account.lambda_.get_function_configuration(FunctionName=name)
        assert (found["Handler"], found["Timeout"]) == ("function.profile", 60)
        assert found["Environment"]["Variables"] == {"FUNCTION_VOLUME": "/mnt/function"}
    assert sent[0]["FileSystemConfigs"] != sent[1]["FileSystemConfigs"]


def test_tasks_without_a_nat_reach_aws_by_endpoints(
    account: Account, whole: Template, stack: object
) -> None:
    """Put through EC2's API as the template says, and read back."""
    (vpc,) = [
        v["VpcId"] for v in account.ec2.describe_vpcs()["Vpcs"] if v["CidrBlock"] == "10.80.0.0/16"
    ]
    for endpoint in whole.of_type("AWS::EC2::VPCEndpoint"):
        service = endpoint.get("ServiceName").replace("${AWS::Region}", REGION)
        account.ec2.create_vpc_endpoint(
            VpcId=vpc, ServiceName=service, VpcEndpointType=endpoint.get("VpcEndpointType")
        )
    read = account.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    services = {each["ServiceName"].removeprefix(f"com.amazonaws.{REGION}.") for each in read}
    assert services >= {"logs", "ecr.api", "ecr.dkr", "s3"}


def test_alarms_and_filters_are_taken_by_cloudwatch(
    account: Account, whole: Template, stack: object
) -> None:
    """Each as the template says, put through the APIs, and read back."""
    for each in whole.of_type("AWS::Logs::MetricFilter"):
        (change,) = each.get("MetricTransformations")
        account.logs.put_metric_filter(
            logGroupName="/ecs/app1-containers",
            filterName=each.name,
            filterPattern=each.get("FilterPattern"),
            metricTransformations=[
                {
                    "metricName": change["MetricName"],
                    "metricNamespace": change["MetricNamespace"],
                    "metricValue": change["MetricValue"],
                }
            ],
        )
    filters = account.logs.describe_metric_filters(logGroupName="/ecs/app1-containers")
    assert len(filters["metricFilters"]) == len(whole.of_type("AWS::Logs::MetricFilter"))
    alarms = whole.of_type("AWS::CloudWatch::Alarm")
    for alarm in alarms:
        said = {**alarm.properties, "AlarmName": alarm.name}
        said = {key: value for key, value in said.items() if not key.endswith("Actions")}
        account.cloudwatch.put_metric_alarm(**said)
    read = account.cloudwatch.describe_alarms()["MetricAlarms"]
    # Scaling has made two of its own.
    ours = [each for each in read if not each["AlarmName"].startswith("TargetTracking-")]
    assert {each["AlarmName"] for each in ours} == {alarm.name for alarm in alarms}
    assert all(each["TreatMissingData"] for each in ours)
