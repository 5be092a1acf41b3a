"""Stacks whose parts miss each other, deny or outlive each other; test_stack_rules.py asks of each."""

from typing import Any

from tests.deployment.breaking import Breaking
from tests.deployment.breaking_stack import (
    access_point_arn,
    container,
    of,
    ref,
    statement,
)

TASK, ROLE, SERVICE, FS = "AppTaskDefinition", "AppTaskRole", "AppService", "FileSystem"
ARN = access_point_arn  # the ARN of anything
TRACKING = "TargetTrackingScalingPolicyConfiguration"


def app(document: dict[str, Any]) -> dict[str, Any]:
    return container(document, TASK, "app")


def may(document: dict[str, Any], role: str, **changes: Any) -> None:
    """One more statement of the role."""
    policy = of(document, role, "Policies", 0, "PolicyDocument")
    policy["Statement"].append({"Effect": "Allow", "Resource": "*", **changes})


def system_denies(document: dict[str, Any], **changes: Any) -> None:
    """One more denial of the file system's policy."""
    denying = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Resource": "*"}
    verb = "elasticfilesystem:ClientWrite"
    policy = of(document, FS, "FileSystemPolicy")
    policy["Statement"].append({**denying, "Action": verb, **changes})


def trusting(document: dict[str, Any], role: str = ROLE) -> dict[str, Any]:
    return of(document, role, "AssumeRolePolicyDocument", "Statement", 0)


def made(document: dict[str, Any], name: str, kind: str, **properties: Any) -> None:
    """One more resource."""
    document["Resources"][name] = {"Type": kind, "Properties": properties}


def key(document: dict[str, Any], *, kept: bool = True, **changes: Any) -> None:
    """A key of the account's alone."""
    owner = {"Effect": "Allow", "Principal": {"AWS": "root"}, "Action": "kms:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [owner]}
    rotating = {"EnableKeyRotation": True, "KeyPolicy": policy}
    made(document, "Key", "AWS::KMS::Key", **{**rotating, **changes})
    document["Resources"]["Key"]["DeletionPolicy"] = "Retain" if kept else "Delete"


def alarm(document: dict[str, Any], namespace: str, metric: str, **dimensions: Any) -> None:
    """One more alarm."""
    made(
        document, "Alarm", "AWS::CloudWatch::Alarm",
        Namespace=namespace, MetricName=metric, Statistic="Average", Period=60, EvaluationPeriods=3,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
        AlarmActions=["arn:aws:sns:eu-central-1:1:t"],
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
    )  # fmt: skip


def of_the_topic(document: dict[str, Any], action: Any, **topic: Any) -> None:
    made(document, "Topic", "AWS::SNS::Topic", **topic)
    of(document, "AppBacklogAlarm")["AlarmActions"] = [action]


def leaves_only(document: dict[str, Any], group: str, port: int) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/8"}
    of(document, group)["SecurityGroupEgress"] = [rule]


def through(document: dict[str, Any], endpoint: str, action: str, resource: str = "*") -> None:
    allowing = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}
    of(document, endpoint)["PolicyDocument"] = {"Version": "2012-10-17", "Statement": [allowing]}


def large_artifacts(document: dict[str, Any], sid: str) -> dict[str, Any]:
    """A statement that is there with a bucket only."""
    given = of(document, ROLE, "Policies", 0, "PolicyDocument", "Statement")
    found = [each["Fn::If"][1] for each in given if "Fn::If" in each]
    return next(each for each in found if each["Sid"] == sid)


def nobody_asks(document: dict[str, Any]) -> None:
    del app(document)["HealthCheck"]
    del of(document, SERVICE)["LoadBalancers"]


def on_spot(document: dict[str, Any]) -> None:
    document["Parameters"]["UseSpot"]["Default"] = "true"
    app(document)["StopTimeout"] = 120


def privately_public(document: dict[str, Any]) -> None:
    subnets = [ref("MadePrivateSubnet1"), ref("MadePrivateSubnet2")]
    of(document, "LoadBalancer").update(Scheme="internet-facing", Subnets=subnets)


def strategy(document: dict[str, Any], *each: dict[str, Any]) -> None:
    of(document, SERVICE)["CapacityProviderStrategy"] = list(each)


def with_secret(document: dict[str, Any], service: str) -> None:
    app(document)["Secrets"] = [{"Name": "DB", "ValueFrom": f"arn:aws:{service}:x:1:db"}]


def transformation(document: dict[str, Any], name: str = "AppBacklogAgeMetric") -> dict[str, Any]:
    return of(document, name, "MetricTransformations", 0)


def reserved(document: dict[str, Any]) -> None:
    of(document, "Function1")["ReservedConcurrentExecutions"] = 2
    warm = {"ProvisionedConcurrentExecutions": 5}
    of(document, "Function1Alias")["ProvisionedConcurrencyConfig"] = warm


BROKEN_MEETINGS: list[tuple[str, str, Breaking]] = [
    # what is called and who calls
    ("one_vpc", "MountTarget1", lambda d: of(d, "FileSystemSecurityGroup").update(VpcId="vpc-99999999")),
    ("one_vpc", "AppService", lambda d: of(d, "TargetGroup").update(VpcId="vpc-99999999")),
    ("one_vpc", "LogsEndpoint", lambda d: of(d, "LogsEndpoint").update(VpcId="vpc-99999999")),
    ("listener_open", "8080", lambda d: of(d, "HttpListener").update(Port=8080)),
    ("balancer_reaches_its_targets", "as the source", lambda d: of(d, "AppSecurityGroup", "SecurityGroupIngress", 0).update(SourceSecurityGroupId=ref("FileSystemSecurityGroup"))),
    ("balancer_reaches_its_targets", "on port 9464", lambda d: of(d, "TargetGroup").update(HealthCheckPort="9464")),
    ("balancer_reaches_its_targets", "egress leaves out port 8000", lambda d: leaves_only(d, "LoadBalancerSecurityGroup", 443)),
    ("listener_protocol", "of the Type network", lambda d: of(d, "LoadBalancer").update(Type="network")),
    ("nat_in_public", "AllocationId", lambda d: of(d, "NatGateway").pop("AllocationId")),
    ("balancer_group", "SecurityGroups", lambda d: of(d, "LoadBalancer").pop("SecurityGroups")),
    ("somebody_registers", "no service", lambda d: of(d, SERVICE).pop("LoadBalancers")),
    ("bucket_encrypted", "denies", lambda d: of(d, "ArtifactBucketPolicy", "PolicyDocument", "Statement", 0).update(Resource=ARN("ArtifactBucket"))),
    ("tasks_may_leave", "CollectorService", lambda d: leaves_only(d, "CollectorSecurityGroup", 2049)),
    ("nat_in_public", "10.0.0.0/8 only", lambda d: of(d, "NatRoute").update(DestinationCidrBlock="10.0.0.0/8")),
    ("public_balancer", "public subnets", privately_public),
    ("endpoint_policies", "logs:PutLogEvents", lambda d: through(d, "LogsEndpoint", "logs:DescribeLogGroups")),
    ("endpoint_policies", "images' layers", lambda d: through(d, "S3Endpoint", "s3:GetObject", "arn:aws:s3:::mine/*")),
    # how tasks are started, and asked
    ("task_by_reference", "Ref it", lambda d: of(d, SERVICE).update(TaskDefinition={"Fn::Sub": "${AppName}:1"})),
    ("in_a_cluster", "Ref Cluster", lambda d: of(d, "CollectorService").pop("Cluster")),
    ("capacity", "have a Base", lambda d: strategy(d, {"CapacityProvider": "FARGATE", "Base": 1}, {"CapacityProvider": "FARGATE_SPOT", "Base": 1, "Weight": 1})),
    ("capacity", "no task is placed", lambda d: strategy(d, {"CapacityProvider": "FARGATE", "Weight": 0})),
    ("spot_leaves_a_drain", "120 of the 120 s", on_spot),
    ("somebody_asks", "is well", nobody_asks),
    ("grace", "36000", lambda d: of(d, SERVICE).update(HealthCheckGracePeriodSeconds=36000)),
    ("target_health_pace", "under its interval", lambda d: of(d, "TargetGroup").update(HealthCheckTimeoutSeconds=20)),
    ("target_health_pace", "functions only", lambda d: of(d, "TargetGroup").update(HealthCheckEnabled=False)),
    ("target_speaks_as_its_container", "no container", lambda d: of(d, "TargetGroup").update(HealthCheckPort="9464")),
    ("target_speaks_as_its_container", "Protocol tcp", lambda d: app(d)["PortMappings"][0].update(Protocol="udp")),
    ("target_speaks_as_its_container", "make it HTTP", lambda d: of(d, "TargetGroup").update(Protocol="HTTPS")),
    ("scaling_metric", "per cent", lambda d: of(d, "AppScalingByCpu", TRACKING).update(TargetValue=0.6)),
    # what is allowed, and never holds
    ("denied_to_its_user", "logs:PutLogEvents", lambda d: may(d, ROLE, Effect="Deny", Action="logs:PutLogEvents")),
    ("denied_to_everybody", "everybody", system_denies),
    ("denied_to_everybody", "everybody", lambda d: system_denies(d, Action="elasticfilesystem:ClientMount", Condition={"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}})),
    ("literal_wildcard", "StringLike", lambda d: trusting(d).update(Condition={"StringEquals": {"aws:SourceArn": "arn:aws:ecs:eu-central-1:1:*"}})),
    ("never_met", "second factor", lambda d: statement(d, ROLE, "Ship").update(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
    ("never_met", "private address", lambda d: statement(d, ROLE, "Ship").update(Condition={"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}})),
    ("source_arn", "never a task's", lambda d: trusting(d)["Condition"].update(ArnLike={"aws:SourceArn": ARN("Cluster")})),
    ("source_arn", "never a task's", lambda d: trusting(d)["Condition"].update(ArnLike={"aws:SourceArn": {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:*"}})),
    ("source_arn", "never a function's", lambda d: trusting(d, "Function1Role")["Condition"].update(ArnLike={"aws:SourceArn": "arn:aws:ecs:eu-central-1:1:*"})),
    ("objects_and_buckets", "put /* behind it", lambda d: large_artifacts(d, "StoreLargeArtifacts").update(Resource=ARN("ArtifactBucket"))),
    ("objects_and_buckets", "leave the /", lambda d: large_artifacts(d, "TidyUploadsAfterAKill").update(Resource={"Fn::Sub": "${ArtifactBucket.Arn}/*"})),
    ("any_resource_only", "knows no resource", lambda d: statement(d, "ExecutionRole", "SignInToTheImageRegistry").update(Resource="arn:aws:ecr:eu-central-1:1:repository/app")),
    ("trusted_by_its_service", "sts:AssumeRole", lambda d: trusting(d).update(Action="sts:AssumeRoleWithWebIdentity")),
    ("trusted_by_its_service", "sts:AssumeRole", lambda d: trusting(d).update(Effect="Deny")),
    ("execution_role_fetches", "secretsmanager:GetSecretValue", lambda d: with_secret(d, "secretsmanager")),
    ("execution_role_fetches", "ssm:GetParameters", lambda d: with_secret(d, "ssm")),
    ("execution_role_fetches", "of its registry", lambda d: app(d).update(RepositoryCredentials={"CredentialsParameter": "arn:aws:secretsmanager:x:1:secret:r"})),
    ("raises_its_rights", "any right", lambda d: may(d, ROLE, Action="iam:AttachRolePolicy", Resource="arn:aws:iam::1:role/x")),
    ("whole_accounts", "the whole account", lambda d: of(d, ROLE, "AssumeRolePolicyDocument", "Statement").append({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "sts:AssumeRole"})),
    ("long_lived_keys", "remove it", lambda d: made(d, "Long", "AWS::IAM::AccessKey", UserName="me")),
    ("groups_stay_apart", "leave it out", lambda d: of(d, "Function1AccessPoint", "PosixUser").update(SecondaryGids=["10000"])),
    # keys
    ("key_kept", "Retain", lambda d: (key(d, kept=False), of(d, FS).update(KmsKeyId=ARN("Key")))),
    ("key_rotates", "EnableKeyRotation", lambda d: key(d, EnableKeyRotation=False)),
    ("key_of_a_log_group", "not its id", lambda d: (key(d), of(d, "LogGroup").update(KmsKeyId=ref("Key")))),
    ("key_of_a_log_group", "logs.REGION", lambda d: (key(d), of(d, "LogGroup").update(KmsKeyId=ARN("Key")))),
    ("key_of_a_topic", "cannot use the key", lambda d: of_the_topic(d, ref("Topic"), KmsMasterKeyId="alias/aws/sns")),
    ("key_of_a_topic", "cloudwatch.amazonaws.com", lambda d: (key(d), of_the_topic(d, ref("Topic"), KmsMasterKeyId=ref("Key")))),
    # metrics
    ("filter_dimensions", "read with none", lambda d: transformation(d).update(Dimensions=[{"Key": "Task", "Value": "$.task"}])),
    ("filter_dimensions", "read with Task", lambda d: of(d, "AppBacklogAlarm").update(Dimensions=[{"Name": "Task", "Value": "x"}])),
    ("metric_dimensions", "LoadBalancer only", lambda d: alarm(d, "AWS/ApplicationELB", "RequestCount")),
    ("metric_dimensions", "LoadBalancerFullName", lambda d: alarm(d, "AWS/ApplicationELB", "RequestCount", LoadBalancer=ref("LoadBalancer"))),
    ("metric_dimensions", "ClusterName only", lambda d: alarm(d, "AWS/ECS", "CPUUtilization")),
    ("metric_dimensions", "GetAtt Name", lambda d: alarm(d, "AWS/ECS", "CPUUtilization", ClusterName=ref("Cluster"), ServiceName=ref(SERVICE))),
    ("evaluation_range", "at most 604800", lambda d: of(d, "AppBacklogAlarm").update(Period=86400, EvaluationPeriods=14)),
    ("alarm_tells", "is no topic", lambda d: of(d, "AppBacklogAlarm").update(AlarmActions=[ref("LogGroup")])),
    ("alarm_tells", "not its name", lambda d: of_the_topic(d, {"Fn::GetAtt": ["Topic", "TopicName"]})),
    ("alarm_tells", "is no ARN", lambda d: of(d, "AppBacklogAlarm").update(AlarmActions=["ops"])),
    ("burst_credits", "does not have", lambda d: alarm(d, "AWS/EFS", "BurstCreditBalance", FileSystemId=ref(FS))),
    ("gaps_stay_gaps", "silent sidecar", lambda d: transformation(d).update(DefaultValue=0)),
    # the rest
    ("warm_within_its_limit", "may have 2", reserved),
    ("version_follows_the_code", "keeps the old code", lambda d: of(d, "Function1Version").pop("Description")),
    ("bucket_outlives_its_manifests", "expire after 1 days", lambda d: of(d, "ArtifactBucket", "LifecycleConfiguration", "Rules").append({"Status": "Enabled", "ExpirationInDays": 1})),
]  # fmt: skip
