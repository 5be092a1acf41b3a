"""Every rule for templates against the stack, broken in the way that the rule is for."""

import copy
from typing import Any

import pytest

from tests.deployment.breaking import Breaking
from tests.deployment.breaking_stack import (
    access_point_arn,
    container,
    drop,
    of,
    ref,
    statement,
    undepend,
    volume,
)
from tests.deployment.broken_stacks import BROKEN_MEETINGS
from tests.deployment.definitions import template

from checker import policies, stack  # isort: skip
from checker.check import template_findings  # isort: skip

WHOLE = template()


def collector_reads_the_app(document: dict[str, Any]) -> None:
    volume(document, "CollectorTaskDefinition", 0)["AuthorizationConfig"]["AccessPointId"] = ref(
        "AppAccessPoint"
    )


def one_state(document: dict[str, Any]) -> None:
    point = volume(document, "CollectorTaskDefinition", 2)["AuthorizationConfig"]
    point["AccessPointId"] = ref("AppStateAccessPoint")


def policy_with_its_own_point(document: dict[str, Any]) -> None:
    of(document, "FileSystem", "FileSystemPolicy", "Statement").append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": access_point_arn("AppTaskRole")},
            "Action": "elasticfilesystem:ClientMount",
            "Condition": {
                "StringEquals": {
                    "elasticfilesystem:AccessPointArn": access_point_arn("AppAccessPoint")
                }
            },
        }
    )


def rule_from(document: dict[str, Any], **rule: Any) -> None:
    of(document, "FileSystemSecurityGroup")["SecurityGroupIngress"] = [
        {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, **rule}
    ]


def deny(document: dict[str, Any], number: int) -> dict[str, Any]:
    return of(document, "FileSystem", "FileSystemPolicy", "Statement", number)


def let_in(document: dict[str, Any], **changes: Any) -> None:
    """One more statement in the file system's policy: everybody may mount and write."""
    verbs = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    allowing = {"Effect": "Allow", "Principal": "*", "Action": verbs, "Resource": "*"}
    of(document, "FileSystem", "FileSystemPolicy", "Statement").append({**allowing, **changes})


def mounting(document: dict[str, Any]) -> dict[str, Any]:
    return statement(document, "AppTaskRole", "MountThroughTheTwoAccessPoints")


def tell(document: dict[str, Any], task: str, **variables: str) -> None:
    """Other values for the sidecar's variables."""
    for each in container(document, task, "sidecar")["Environment"]:
        each["Value"] = variables.get(each["Name"], each["Value"])


def track(document: dict[str, Any]) -> dict[str, Any]:
    policy = of(document, "AppScalingByCpu", "TargetTrackingScalingPolicyConfiguration")
    return policy["PredefinedMetricSpecification"]


def show(document: dict[str, Any], old: str, new: str) -> None:
    """Another text in the dashboard, once it is sure that the old one stood there."""
    body = of(document, "Dashboard", "DashboardBody")
    assert old in body["Fn::Sub"]
    body["Fn::Sub"] = body["Fn::Sub"].replace(old, new)


FS, ROLE = "FileSystem", "AppTaskRole"
BROKEN: list[tuple[str, str, Breaking]] = [
    # the file system
    ("file_system_encrypted", "set Encrypted", lambda d: of(d, FS).update(Encrypted=False)),
    ("file_system_encrypted", "set Encrypted", lambda d: of(d, FS).pop("Encrypted")),
    ("file_system_backup", "ENABLED", lambda d: of(d, FS).pop("BackupPolicy")),
    ("file_system_backup", "ENABLED", lambda d: of(d, FS, "BackupPolicy").update(Status="DISABLED")),
    ("file_system_throughput", "elastic", lambda d: of(d, FS).update(ThroughputMode="bursting")),
    ("file_system_throughput", "elastic", lambda d: of(d, FS).pop("ThroughputMode")),
    ("file_system_throughput", "needs Provisioned", lambda d: of(d, FS).update(ThroughputMode="provisioned")),
    ("file_system_throughput", "generalPurpose", lambda d: of(d, FS).update(PerformanceMode="maxIO")),
    ("file_system_throughput", "drop it", lambda d: of(d, FS).update(ProvisionedThroughputInMibps=10)),
    ("file_system_lifecycle", "one transition", lambda d: of(d, FS).update(LifecyclePolicies=[{"TransitionToIA": "AFTER_30_DAYS", "TransitionToArchive": "AFTER_90_DAYS"}])),
    ("file_system_lifecycle", "has no TransitionToIA", lambda d: of(d, FS).pop("LifecyclePolicies")),
    ("file_system_lifecycle", "none of", lambda d: of(d, FS, "LifecyclePolicies", 0).update(TransitionToIA="AFTER_45_DAYS")),
    ("file_system_lifecycle", "later", lambda d: of(d, FS, "LifecyclePolicies", 1).update(TransitionToArchive="AFTER_7_DAYS")),
    ("file_system_lifecycle", "AFTER_1_ACCESS", lambda d: of(d, FS, "LifecyclePolicies", 2).update(TransitionToPrimaryStorageClass="AFTER_2_ACCESS")),
    ("file_system_is_kept", "DeletionPolicy", lambda d: d["Resources"][FS].pop("DeletionPolicy")),
    ("file_system_is_kept", "UpdateReplacePolicy", lambda d: d["Resources"][FS].update(UpdateReplacePolicy="Delete")),
    ("file_system_in_every_zone", "one zone", lambda d: of(d, FS).update(AvailabilityZoneName="eu-central-1a")),
    ("file_system_policy", "has no", lambda d: of(d, FS).pop("FileSystemPolicy")),
    ("file_system_policy", "SecureTransport", lambda d: of(d, FS, "FileSystemPolicy", "Statement").pop(0)),
    ("file_system_policy", "without an access point", lambda d: of(d, FS, "FileSystemPolicy", "Statement").pop(1)),
    ("file_system_policy", "SecureTransport", lambda d: of(d, FS, "FileSystemPolicy", "Statement", 0).update(Effect="Allow")),
    ("file_system_policy", "SecureTransport", lambda d: of(d, FS, "FileSystemPolicy", "Statement", 0, "Condition").update(Bool={"aws:SecureTransport": "true"})),
    ("file_system_policy", "everybody", lambda d: of(d, FS, "FileSystemPolicy", "Statement").append({"Effect": "Allow", "Principal": "*", "Action": "elasticfilesystem:ClientMount"})),
    ("policy_circle", "circle", policy_with_its_own_point),
    ("file_system_key", "needs Encrypted", lambda d: of(d, FS).update(Encrypted=False, KmsKeyId="k")),
    # access points
    ("access_point_user", "PosixUser", lambda d: of(d, "AppAccessPoint").pop("PosixUser")),
    ("access_point_user", "root", lambda d: of(d, "AppAccessPoint", "PosixUser").update(Uid="0")),
    ("access_point_directory", "everybody's", lambda d: of(d, "AppAccessPoint", "RootDirectory").update(Path="/")),
    ("access_point_directory", "everybody's", lambda d: of(d, "AppAccessPoint").pop("RootDirectory")),
    ("access_point_directory", "levels", lambda d: of(d, "AppAccessPoint", "RootDirectory").update(Path="/a/b/c/d/e")),
    ("access_point_directory", "100 at most", lambda d: of(d, "AppAccessPoint", "RootDirectory").update(Path="/" + "a" * 100)),
    ("access_point_directory", "begin with /", lambda d: of(d, "AppAccessPoint", "RootDirectory").update(Path="app1")),
    ("access_point_creation", "every mount fails", lambda d: of(d, "AppAccessPoint", "RootDirectory").pop("CreationInfo")),
    ("access_point_creation", "add Permissions", lambda d: of(d, "AppAccessPoint", "RootDirectory", "CreationInfo").pop("Permissions")),
    ("access_point_creation", "octal", lambda d: of(d, "AppAccessPoint", "RootDirectory", "CreationInfo").update(Permissions="rwx")),
    ("access_point_creation", "every user", lambda d: of(d, "AppAccessPoint", "RootDirectory", "CreationInfo").update(Permissions="0777")),
    ("access_point_creation", "cannot write", lambda d: of(d, "AppAccessPoint", "RootDirectory", "CreationInfo").update(OwnerUid="0", OwnerGid="0")),
    ("access_points_apart", "one root directory", lambda d: of(d, "Function2AccessPoint", "RootDirectory").update(Path={"Fn::Sub": "/${AppName}-function1"})),
    ("access_points_apart", "side by side", lambda d: of(d, "AppStateAccessPoint", "RootDirectory").update(Path={"Fn::Sub": "/${AppName}/state"})),
    ("users_apart", "both user", lambda d: of(d, "Function2AccessPoint", "PosixUser").update(Uid="10011")),
    # network
    ("mount_targets", "no mount target", lambda d: drop(d, "MountTarget2")),
    ("mount_targets", "one subnet", lambda d: of(d, "MountTarget2").update(SubnetId=copy.deepcopy(of(d, "MountTarget1", "SubnetId")))),
    ("mount_target_group", "name SecurityGroups", lambda d: of(d, "MountTarget1").pop("SecurityGroups")),
    ("file_system_closed", "0.0.0.0/0", lambda d: rule_from(d, CidrIp="0.0.0.0/0")),
    ("file_system_closed", "more or other", lambda d: of(d, "NfsFromApp").update(IpProtocol="-1")),
    ("file_system_closed", "more or other", lambda d: of(d, "NfsFromApp").update(FromPort=0, ToPort=65535)),
    ("file_system_closed", "more or other", lambda d: of(d, "NfsFromApp").update(IpProtocol="udp")),
    ("file_system_reachable", "AppService", lambda d: drop(d, "NfsFromApp")),
    ("file_system_reachable", "Function1", lambda d: of(d, "NfsFromFunctions").update(FromPort=111, ToPort=111)),
    ("open_to_everybody", "0.0.0.0/0", lambda d: of(d, "AppSecurityGroup", "SecurityGroupIngress", 0).update(CidrIp="0.0.0.0/0")),
    ("open_to_everybody", "::/0", lambda d: rule_from(d, CidrIpv6="::/0")),
    ("vpc_names", "EnableDnsHostnames", lambda d: of(d, "Vpc").pop("EnableDnsHostnames")),
    ("endpoints", "no endpoint for logs", lambda d: drop(d, "LogsEndpoint")),
    ("endpoints", "no endpoint for s3", lambda d: drop(d, "S3Endpoint")),
    ("endpoints", "PrivateDnsEnabled", lambda d: of(d, "EcrApiEndpoint").update(PrivateDnsEnabled=False)),
    ("endpoints", "RouteTableIds", lambda d: of(d, "S3Endpoint").pop("RouteTableIds")),
    ("endpoints_let_in", "nobody in", lambda d: of(d, "EndpointSecurityGroup").pop("SecurityGroupIngress")),
    ("endpoints", "Interface", lambda d: of(d, "LogsEndpoint").update(VpcEndpointType="Gateway")),
    ("two_zones", "one subnet", lambda d: of(d, "AppService", "NetworkConfiguration", "AwsvpcConfiguration").update(Subnets=[ref("MadePrivateSubnet1")])),
    # roles
    ("broad_managed_policies", "CloudWatchLogsFullAccess", lambda d: of(d, ROLE).update(ManagedPolicyArns=["arn:aws:iam::aws:policy/CloudWatchLogsFullAccess"])),
    ("trusted_by_its_service", "lambda.amazonaws.com", lambda d: of(d, "Function1Role", "AssumeRolePolicyDocument", "Statement", 0).update(Principal={"Service": "ecs-tasks.amazonaws.com"})),
    ("task_may_ship", "logs:PutLogEvents", lambda d: statement(d, ROLE, "Ship").update(Action=["logs:CreateLogStream"])),
    ("task_may_ship", "AppStateAccessPoint", lambda d: statement(d, ROLE, "MountThroughTheTwoAccessPoints")["Condition"]["StringEquals"]["elasticfilesystem:AccessPointArn"].pop()),
    ("task_may_ship", "ClientWrite", lambda d: statement(d, ROLE, "MountThroughTheTwoAccessPoints").update(Action="elasticfilesystem:ClientMount")),
    ("task_may_ship", "only reads", lambda d: statement(d, "CollectorTaskRole", "ReadWhatTheFunctionsWrite").update(Action=["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"])),
    ("function_may_mount", "VPC", lambda d: of(d, "Function1Role").pop("ManagedPolicyArns")),
    ("function_may_mount", "ClientMount", lambda d: of(d, "Function1Role").update(Policies=[])),
    ("execution_role_may_start", "ecr:BatchGetImage", lambda d: statement(d, "ExecutionRole", "PullTheTwoImages").update(Action=["ecr:GetDownloadUrlForLayer"])),
    ("one_role_each", "is shared", lambda d: of(d, "Function2").update(Role=access_point_arn("Function1Role"))),
    # policies
    ("version", "2012-10-17", lambda d: of(d, ROLE, "Policies", 0, "PolicyDocument").update(Version="2008-10-17")),
    ("statements", "Effect", lambda d: statement(d, ROLE, "Ship").pop("Effect")),
    ("wildcard_action", "logs:*", lambda d: statement(d, ROLE, "Ship").update(Action="logs:*")),
    ("everything_but", "NotAction", lambda d: (statement(d, ROLE, "Ship").pop("Action"), statement(d, ROLE, "Ship").update(NotAction="iam:*"))),
    ("wildcard_resource", "Resource *", lambda d: statement(d, ROLE, "Ship").update(Resource="*")),
    ("wide_resource", "every one", lambda d: statement(d, ROLE, "Ship").update(Resource="arn:aws:logs:eu-central-1:1:log-group:*")),
    ("log_resource", "no stream", lambda d: statement(d, ROLE, "Ship").update(Resource={"Fn::Sub": "arn:aws:logs:eu-central-1:1:log-group:/ecs/x"})),
    ("mount_through_an_access_point", "any mount", lambda d: statement(d, ROLE, "MountThroughTheTwoAccessPoints").pop("Condition")),
    ("mount_through_an_access_point", "every one", lambda d: statement(d, ROLE, "MountThroughTheTwoAccessPoints").update(Condition={"StringLike": {"elasticfilesystem:AccessPointArn": "arn:aws:elasticfilesystem:x:1:access-point/*"}})),
    ("mount_through_an_access_point", "any mount", lambda d: statement(d, ROLE, "MountThroughTheTwoAccessPoints").update(Condition={"StringNotEquals": {"elasticfilesystem:AccessPointArn": "x"}})),
    ("mount_through_an_access_point", "no access point's ARN", lambda d: statement(d, ROLE, "MountThroughTheTwoAccessPoints").update(Condition={"StringEquals": {"elasticfilesystem:AccessPointArn": "fsap-1"}})),
    ("never_root", "ClientRootAccess", lambda d: statement(d, ROLE, "MountThroughTheTwoAccessPoints")["Action"].append("elasticfilesystem:ClientRootAccess")),
    ("trust", "SourceAccount", lambda d: of(d, ROLE, "AssumeRolePolicyDocument", "Statement", 0).pop("Condition")),
    ("trust", "anybody", lambda d: of(d, ROLE, "AssumeRolePolicyDocument", "Statement", 0).update(Principal="*")),
    ("pass_role", "any role", lambda d: statement(d, ROLE, "Ship").update(Action="iam:PassRole", Resource="*")),
    # the service
    ("circuit_breaker", "enable", lambda d: of(d, "AppService", "DeploymentConfiguration").pop("DeploymentCircuitBreaker")),
    ("circuit_breaker", "Rollback", lambda d: of(d, "AppService", "DeploymentConfiguration", "DeploymentCircuitBreaker").update(Rollback=False)),
    ("deployments_overlap", "MaximumPercent", lambda d: of(d, "AppService", "DeploymentConfiguration").update(MaximumPercent=100)),
    ("deployments_overlap", "MinimumHealthyPercent", lambda d: of(d, "AppService", "DeploymentConfiguration").update(MinimumHealthyPercent=0)),
    ("service_network", "Subnets", lambda d: of(d, "AppService").pop("NetworkConfiguration")),
    ("service_network", "AssignPublicIp", lambda d: of(d, "AppService", "NetworkConfiguration", "AwsvpcConfiguration").update(AssignPublicIp="ENABLED")),
    ("service_network", "default one", lambda d: of(d, "AppService", "NetworkConfiguration", "AwsvpcConfiguration").pop("SecurityGroups")),
    ("service_waits_for_mounts", "MountTarget1", lambda d: undepend(d, "AppService", "MountTarget1")),
    ("service_platform", "1.3.0", lambda d: of(d, "AppService").update(PlatformVersion="1.3.0")),
    ("service_fits_its_task", "require FARGATE", lambda d: of(d, "AppTaskDefinition").update(RequiresCompatibilities=["EC2"])),
    ("service_fits_its_task", "without a LaunchType", lambda d: of(d, "CollectorService").pop("LaunchType")),
    ("service_fits_its_task", "exclude", lambda d: of(d, "AppService").update(LaunchType="FARGATE")),
    ("load_balanced", "does not have", lambda d: of(d, "AppService", "LoadBalancers", 0).update(ContainerName="web")),
    ("load_balanced", "port 80", lambda d: of(d, "AppService", "LoadBalancers", 0).update(ContainerPort=80)),
    ("load_balanced", "TargetType", lambda d: of(d, "TargetGroup").pop("TargetType")),
    ("load_balanced", "DependsOn", lambda d: undepend(d, "AppService", "HttpListener")),
    ("load_balanced", "GracePeriod", lambda d: of(d, "AppService").pop("HealthCheckGracePeriodSeconds")),
    ("plain_http", "HTTPS", lambda d: (of(d, "LoadBalancer").update(Scheme="internet-facing"), d["Parameters"]["CertificateArn"].update(Default=""))),
    ("exec_and_read_only", "ECS Exec", lambda d: of(d, "AppService").update(EnableExecuteCommand=True)),
    ("scaling", "MinCapacity", lambda d: of(d, "AppScaling").update(MinCapacity=9)),
    ("scaling", "no ScalingPolicy", lambda d: drop(d, "AppScalingByCpu")),
    ("scaling", "DesiredCount", lambda d: of(d, "AppService").update(DesiredCount=2)),
    ("scaling_metric", "per cent", lambda d: of(d, "AppScalingByCpu", "TargetTrackingScalingPolicyConfiguration").update(TargetValue=95)),
    ("somebody_runs", "runs no task", lambda d: of(d, "CollectorService").update(DesiredCount=0)),
    # functions
    ("function_mount", "/mnt/NAME", lambda d: of(d, "Function1", "FileSystemConfigs", 0).update(LocalMountPath="/data")),
    ("function_mount", "must be an access point's", lambda d: of(d, "Function1", "FileSystemConfigs", 0).update(Arn={"Fn::GetAtt": ["FileSystem", "Arn"]})),
    ("function_mount", "one file system", lambda d: of(d, "Function1", "FileSystemConfigs").append(of(d, "Function2", "FileSystemConfigs", 0))),
    ("function_mount", "its environment", lambda d: of(d, "Function1", "Environment", "Variables").update(FUNCTION_VOLUME="/mnt/other")),
    ("function_mount", "not its id", lambda d: of(d, "Function1", "FileSystemConfigs", 0).update(Arn=ref("Function1AccessPoint"))),
    ("function_vpc", "VpcConfig", lambda d: of(d, "Function1").pop("VpcConfig")),
    ("function_waits_for_mounts", "MountTarget2", lambda d: undepend(d, "Function1", "MountTarget2")),
    ("function_limits", "1 to 900", lambda d: of(d, "Function1").update(Timeout=1000)),
    ("function_limits", "default of 3", lambda d: of(d, "Function1").pop("Timeout")),
    ("function_limits", "MODULE.FUNCTION", lambda d: of(d, "Function1").update(Handler="function")),
    ("one_function_an_access_point", "each its own", lambda d: of(d, "Function2", "FileSystemConfigs", 0).update(Arn=of(d, "Function1", "FileSystemConfigs", 0, "Arn"))),
    ("function_log_group", "kept for ever", lambda d: of(d, "Function1").pop("LoggingConfig")),
    ("provisioned_concurrency", "$LATEST", lambda d: of(d, "Function1Alias").update(FunctionVersion="$LATEST")),
    ("permission_source", "SourceArn", lambda d: d["Resources"].update(P={"Type": "AWS::Lambda::Permission", "Properties": {"Principal": "s3.amazonaws.com", "FunctionName": "x", "Action": "lambda:InvokeFunction"}})),
    ("what_functions_write_is_read", "nobody ships", lambda d: (of(d, "CollectorTaskDefinition", "Volumes").pop(1))),
    # fleets
    ("one_fleet_a_root", "one fleet a root", collector_reads_the_app),
    ("one_fleet_a_root", "one state", one_state),
    ("volumes_of_their_file_system", "not of", lambda d: volume(d, "AppTaskDefinition", 0).update(FilesystemId="fs-0aaaaaaaaaaaaaaaa")),
    # what is observed
    ("retention", "for ever", lambda d: of(d, "LogGroup").pop("RetentionInDays")),
    ("retention", "none of", lambda d: of(d, "LogGroup").update(RetentionInDays=45)),
    ("container_log_groups", "not in the template", lambda d: container(d, "AppTaskDefinition", "app")["LogConfiguration"]["Options"].update({"awslogs-group": "/other"})),
    ("metric_filters", "has no backlog_age", lambda d: of(d, "AppBacklogAgeMetric", "MetricTransformations", 0).update(MetricValue="$.backlog_age")),
    ("metric_filters", "periodic line", lambda d: of(d, "AppBacklogAgeMetric").update(FilterPattern='{ $.event = "sidecar_report" }')),
    ("metric_filters", "no container prints", lambda d: of(d, "AppBacklogAgeMetric").update(LogGroupName=ref("LogGroup"))),
    ("alarms", "TreatMissingData", lambda d: of(d, "AppBacklogAlarm").pop("TreatMissingData")),
    ("alarms", "nothing makes", lambda d: of(d, "AppBacklogAlarm").update(MetricName="Backlog")),
    ("alarms", "AWS/EFS has no", lambda d: of(d, "ThroughputAlarm", "Metrics", 1, "MetricStat", "Metric").update(MetricName="Metered")),
    ("metric_dimensions", "FileSystemId only", lambda d: of(d, "ThroughputAlarm", "Metrics", 1, "MetricStat", "Metric").pop("Dimensions")),
    ("alarms", "nobody hears", lambda d: of(d, "AppBacklogAlarm").pop("AlarmActions")),
    ("alarms", "Maximum", lambda d: of(d, "AppBacklogAlarm").update(Statistic="Minimum")),
    ("alarms", "turn ComparisonOperator", lambda d: of(d, "AppBacklogAlarm").update(ComparisonOperator="LessThanThreshold")),
    ("alarms_there", "no alarm reads", lambda d: drop(d, "AppBacklogAlarm")),
    ("alarms_there", "no MetricFilter", lambda d: drop(d, *[n for n in d["Resources"] if n.endswith("RejectedMetric")])),
    ("dashboards", "not JSON", lambda d: of(d, "Dashboard").update(DashboardBody="{")),
    # storage
    ("bucket_private", "BlockPublicAcls", lambda d: of(d, "ArtifactBucket").pop("PublicAccessBlockConfiguration")),
    ("bucket_encrypted", "BucketPolicy", lambda d: drop(d, "ArtifactBucketPolicy")),
    ("bucket_kept", "Retain", lambda d: d["Resources"]["ArtifactBucket"].pop("DeletionPolicy")),
    # what must agree
    ("mount_targets_of_the_file_system", "not of FileSystem", lambda d: of(d, "MountTarget1").update(FileSystemId="fs-12345678")),
    ("zones_apart", "one mount target a zone", lambda d: of(d, "MadePrivateSubnet2").update(AvailabilityZone=of(d, "MadePrivateSubnet1", "AvailabilityZone"))),
    ("zones_apart", "two zones", lambda d: of(d, "LoadBalancer").update(Subnets=[ref("MadePrivateSubnet1")])),
    ("zones_apart", "in one zone", lambda d: of(d, "LogsEndpoint").update(SubnetIds=[ref("MadePrivateSubnet1")])),
    ("users_may_leave", "go nowhere", lambda d: of(d, "FunctionSecurityGroup", "SecurityGroupEgress", 0).update(FromPort=443, ToPort=443)),
    ("app_reachable", "nobody in on port 8000", lambda d: of(d, "AppSecurityGroup", "SecurityGroupIngress", 0).update(FromPort=80, ToPort=80)),
    ("app_reachable", "ends before", lambda d: of(d, "AppService").update(HealthCheckGracePeriodSeconds=5)),
    ("app_reachable", "begin with /", lambda d: of(d, "TargetGroup").update(HealthCheckPath="readyz")),
    ("not_on_spot_alone", "Spot alone", lambda d: of(d, "AppService").update(CapacityProviderStrategy=[{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}])),
    ("groups_of_the_sidecar", "make that log group", lambda d: of(d, "ArtifactLogGroup").update(LogGroupName="/other")),
    ("groups_of_the_sidecar", "ArtifactLogGroup; allow", lambda d: statement(d, ROLE, "Ship")["Resource"].pop()),
    ("groups_of_the_sidecar", "DeletionPolicy", lambda d: d["Resources"]["LogGroup"].update(DeletionPolicy="Delete")),
    ("alarm_expressions", "exactly one", lambda d: of(d, "AppStalledAlarm", "Metrics", 0).update(ReturnData=False)),
    ("alarm_expressions", "no Id", lambda d: of(d, "AppStalledAlarm", "Metrics", 0).update(Expression="IF(backlg > 0, 1, 0)")),
    ("alarm_expressions", "Period 45", lambda d: of(d, "AppBacklogAlarm").update(Period=45)),
    ("alarm_expressions", "is empty", lambda d: of(d, "AppBacklogAlarm").update(AlarmActions=[])),
    ("scaled_service", "no service of", lambda d: of(d, "AppScaling").update(ResourceId="service/default/other")),
    ("scaled_service", "GetAtt Name", lambda d: of(d, "AppScaling").update(ResourceId={"Fn::Sub": "service/${Cluster}/${AppService}"})),
    ("versions_of_their_function", "another function's", lambda d: of(d, "Function1Alias").update(FunctionVersion={"Fn::GetAtt": ["Function2Version", "Version"]})),
    ("versions_of_their_function", "no invocation", lambda d: of(d, "Function1").update(ReservedConcurrentExecutions=0)),
    ("secrets_in_parameters", "NoEcho", lambda d: d["Parameters"].update(DbPassword={"Type": "String"})),
    ("group_zero", "root's group", lambda d: of(d, "AppAccessPoint", "PosixUser").update(SecondaryGids=["0"])),
    # what looks right at first sight
    ("file_system_policy", "SecureTransport", lambda d: deny(d, 0).update(Action="elasticfilesystem:ClientWrite")),
    ("file_system_policy", "SecureTransport", lambda d: deny(d, 0)["Condition"].update(StringEquals={"aws:PrincipalAccount": "1"})),
    ("file_system_policy", "SecureTransport", lambda d: deny(d, 0).update(Principal={"AWS": access_point_arn(ROLE)})),
    ("file_system_policy", "which access point", lambda d: let_in(d, Condition={"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}})),
    ("file_system_policy", "ClientRootAccess", lambda d: let_in(d, Principal={"AWS": access_point_arn(ROLE)}, Action="elasticfilesystem:ClientRootAccess")),
    ("wide_resource", "every one", lambda d: statement(d, "ExecutionRole", "PullTheTwoImages").update(Resource={"Fn::Sub": "arn:aws:ecr:${AWS::Region}:${AWS::AccountId}:repository/*"})),
    ("deletes", "logs:DeleteLogGroup", lambda d: statement(d, ROLE, "Ship")["Action"].append("logs:DeleteLogGroup")),
    ("broad_managed_policies", "ClientReadWriteAccess", lambda d: of(d, ROLE).update(ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonElasticFileSystemClientReadWriteAccess"])),
    ("task_role_is_the_program_s", "take it away", lambda d: of(d, ROLE).update(ManagedPolicyArns=["arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"])),
    ("task_may_ship", "ClientMount", lambda d: mounting(d).update(Resource={"Fn::Sub": "arn:aws:elasticfilesystem:${AWS::Region}:1:file-system/fs-12345678"})),
    ("task_may_ship", "ClientMount", lambda d: mounting(d).update(Resource=access_point_arn("AppAccessPoint"))),
    ("mounts_nothing_else", "may mount Function1AccessPoint", lambda d: mounting(d)["Condition"]["StringEquals"]["elasticfilesystem:AccessPointArn"].append(access_point_arn("Function1AccessPoint"))),
    ("mounts_nothing_else", "not its id", lambda d: mounting(d)["Condition"]["StringEquals"].update({"elasticfilesystem:AccessPointArn": [ref("AppAccessPoint"), ref("AppStateAccessPoint")]})),
    ("task_may_ask", "logs:GetLogEvents", lambda d: statement(d, "CollectorTaskRole", "Ship")["Action"].pop()),
    ("execution_role_reaches", "prints into ContainerLogGroup", lambda d: statement(d, "ExecutionRole", "KeepWhatTheContainersPrint").update(Resource=[access_point_arn("LogGroup")])),
    ("execution_role_reaches", "repository sidecar", lambda d: statement(d, "ExecutionRole", "PullTheTwoImages")["Resource"].pop()),
    ("groups_of_the_sidecar", "not in the template", lambda d: tell(d, "AppTaskDefinition", SIDECAR_LOG_GROUP="/ecs/nobody")),
    ("file_system_for_its_users", "LoadBalancerSecurityGroup", lambda d: of(d, "NfsFromApp").update(SourceSecurityGroupId=ref("LoadBalancerSecurityGroup"))),
    ("only_through_the_load_balancer", "past its", lambda d: (of(d, "AppSecurityGroup", "SecurityGroupIngress", 0).pop("SourceSecurityGroupId"), of(d, "AppSecurityGroup", "SecurityGroupIngress", 0).update(CidrIp="10.0.0.0/8"))),
    ("only_through_the_load_balancer", "more ports", lambda d: of(d, "AppSecurityGroup", "SecurityGroupIngress", 0).update(FromPort=0, ToPort=65535)),
    ("endpoints_let_in", "CollectorService", lambda d: of(d, "EndpointSecurityGroup", "SecurityGroupIngress").pop()),
    ("users_may_leave", "go nowhere", lambda d: of(d, "FunctionSecurityGroup", "SecurityGroupEgress", 0).update(DestinationSecurityGroupId=ref("AppSecurityGroup"))),
    ("subnets_apart", "overlap", lambda d: of(d, "MadePrivateSubnet2").update(CidrBlock={"Fn::Sub": "${VpcNetwork}.32.0/19"})),
    ("subnets_apart", "outside", lambda d: of(d, "MadePrivateSubnet2").update(CidrBlock="10.99.0.0/18")),
    ("way_out", "MapPublicIpOnLaunch", lambda d: of(d, "MadePrivateSubnet1").update(MapPublicIpOnLaunch=True)),
    ("way_out", "internet gateway", lambda d: (of(d, "NatRoute").pop("NatGatewayId"), of(d, "NatRoute").update(GatewayId=ref("InternetGateway")))),
    ("way_out", "no route table", lambda d: drop(d, "PrivateRoutes2")),
    ("way_out", "RouteTableIds", lambda d: of(d, "S3Endpoint").update(RouteTableIds=[ref("PublicRoutes")])),
    ("nat_in_public", "public subnet", lambda d: of(d, "NatGateway").update(SubnetId=ref("MadePrivateSubnet1"))),
    ("nat_in_public", "no route leads to it", lambda d: drop(d, "NatRoute")),
    ("tls_policy", "left out", lambda d: of(d, "HttpsListener").pop("SslPolicy")),
    ("tls_policy", "2016-08", lambda d: of(d, "HttpsListener").update(SslPolicy="ELBSecurityPolicy-2016-08")),
    ("target_health", "200-499", lambda d: of(d, "TargetGroup").update(Matcher={"HttpCode": "200-499"})),
    ("circuit_breaker", "CODE_DEPLOY", lambda d: of(d, "AppService").update(DeploymentController={"Type": "CODE_DEPLOY"})),
    ("scaling_metric", "no metric of a service", lambda d: track(d).update(PredefinedMetricType="LambdaProvisionedConcurrencyUtilization")),
    ("scaling_metric", "ResourceLabel", lambda d: track(d).update(PredefinedMetricType="ALBRequestCountPerTarget")),
    ("scaled_service", "ServiceNamespace is ecs", lambda d: of(d, "AppScaling").update(ServiceNamespace="dynamodb")),
    ("scaled_service", "make them one", lambda d: of(d, "AppService").update(Cluster="default")),
    ("families_apart", "each its own", lambda d: of(d, "CollectorTaskDefinition").update(Family=ref("AppName"))),
    ("cluster_providers", "FARGATE", lambda d: of(d, "Cluster").update(CapacityProviders=["FARGATE_SPOT"])),
    ("versions_of_their_function", "$LATEST", lambda d: of(d, "Function1Alias").update(FunctionVersion="$LATEST")),
    ("what_functions_write_is_read", "cannot run the sidecar", lambda d: of(d, "Function1", "Environment", "Variables").update(SIDECAR_LOGS="/mnt/function/*.log")),
    ("function_secrets", "in the open", lambda d: of(d, "Function1", "Environment", "Variables").update(DB_PASSWORD="x")),
    ("function_may_log", "its own log", lambda d: of(d, "Function1Role").update(ManagedPolicyArns=["arn:aws:iam::aws:policy/AWSLambdaENIManagementAccess"])),
    ("alarms", "AWS/Lambda has no metric Failures", lambda d: of(d, "FunctionErrorAlarm", "Metrics", 1, "MetricStat", "Metric").update(MetricName="Failures")),
    ("metric_dimensions", "none of the template's", lambda d: of(d, "ThroughputAlarm", "Metrics", 1, "MetricStat", "Metric", "Dimensions", 0).update(Value="fs-12345678")),
    ("metric_dimensions", "not the ARN", lambda d: of(d, "ThroughputAlarm", "Metrics", 1, "MetricStat", "Metric", "Dimensions", 0).update(Value=access_point_arn("FileSystem"))),
    ("alarms", "not a Average", lambda d: of(d, "AppBacklogAlarm").update(Statistic="Average")),
    ("metric_filters", "JSON pattern", lambda d: of(d, "AppBacklogAgeMetric").update(FilterPattern="sidecar_progress")),
    ("silence", "silent", lambda d: of(d, "AppStalledAlarm").update(TreatMissingData="notBreaching")),
    ("log_group_class", "no metric filters", lambda d: of(d, "ContainerLogGroup").update(LogGroupClass="INFREQUENT_ACCESS")),
    ("log_group_class", "no log events", lambda d: of(d, "LogGroup").update(LogGroupClass="DELIVERY")),
    ("dashboards", "no MetricFilter makes", lambda d: show(d, '"BacklogAge"', '"BacklogSeconds"')),
    ("dashboards", "AWS/EFS has no metric", lambda d: show(d, "MeteredIOBytes", "MeteredBytes")),
    ("dashboards", "no region", lambda d: show(d, '"region": "${AWS::Region}", ', "")),
    ("bucket_private", "AccessControl", lambda d: of(d, "ArtifactBucket").update(AccessControl="PublicRead")),
    ("bucket_encrypted", "denies", lambda d: of(d, "ArtifactBucketPolicy", "PolicyDocument", "Statement", 0).update(Condition={"Bool": {"aws:SecureTransport": "true"}})),
    ("bucket_encrypted", "allows everybody", lambda d: of(d, "ArtifactBucketPolicy", "PolicyDocument", "Statement").append({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"})),
    *BROKEN_MEETINGS,
]  # fmt: skip


@pytest.mark.parametrize(("rule", "word", "breaking"), BROKEN)
def test_a_rule_catches_its_broken_example(rule: str, word: str, breaking: Breaking) -> None:
    """The rule named for it complains and says what."""
    document = copy.deepcopy(WHOLE)
    breaking(document)
    found = template_findings(document)
    assert any(word in each.text for each in found if each.rule == rule), found


SOUND: list[Breaking] = [
    lambda d: deny(d, 0).update(Action=["elasticfilesystem:Client*"]),
    lambda d: let_in(d, Principal={"AWS": "arn:aws:iam::123456789012:role/reports"}),
    lambda d: statement(d, ROLE, "Ship").update(Resource={"Fn::Sub": "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:/ecs/${AppName}*:*"}),
    lambda d: mounting(d).update(Resource=access_point_arn("FileSystem")),
    lambda d: statement(d, "ExecutionRole", "PullTheTwoImages").update(Resource={"Fn::Sub": "arn:aws:ecr:${AWS::Region}:${AWS::AccountId}:repository/${AppRepository}*"}) or d["Parameters"]["SidecarRepository"].update(Default="app-sidecar"),
    lambda d: of(d, "LogGroup").update(LogGroupClass="INFREQUENT_ACCESS"),
    lambda d: of(d, "EndpointSecurityGroup").update(SecurityGroupIngress=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.80.0.0/16"}]),
    lambda d: of(d, "FunctionSecurityGroup").pop("SecurityGroupEgress"),
    lambda d: of(d, "HttpsListener").update(SslPolicy="ELBSecurityPolicy-TLS13-1-2-Res-2021-06"),
    lambda d: of(d, "CollectorService").update(DesiredCount=2),
    lambda d: of(d, "AppSecurityGroup", "SecurityGroupIngress").append({"IpProtocol": "tcp", "FromPort": 9464, "ToPort": 9464, "CidrIp": "10.0.0.0/8"}),
]  # fmt: skip


@pytest.mark.parametrize("changing", SOUND)
def test_what_another_would_write_and_mean_the_same_has_no_finding(changing: Breaking) -> None:
    """A rule that cries at sound stacks is soon ignored, with the rest."""
    document = copy.deepcopy(WHOLE)
    changing(document)
    assert template_findings(document) == []


def test_every_rule_has_a_broken_example() -> None:
    """A rule without one could be empty."""
    rules = {rule.__name__ for rule in (*stack.RULES, *policies.RULES)}
    assert rules == {name for name, _, _ in BROKEN}


def test_the_rules_for_task_definitions_hold_inside_a_template() -> None:
    """Converted to the form of the ECS API, whatever CloudFormation calls a key."""
    document = copy.deepcopy(WHOLE)
    volume(document, "AppTaskDefinition", 0)["RootDirectory"] = "/x"
    del container(document, "AppTaskDefinition", "sidecar")["HealthCheck"]
    container(document, "CollectorTaskDefinition", "sidecar")["StopTimeout"] = "30"
    rules = {(each.rule, each.text.split(":")[0]) for each in template_findings(document)}
    assert rules >= {
        ("access_point_root", "AppTaskDefinition"),
        ("sidecar_health", "AppTaskDefinition"),
        ("sidecar_stop", "CollectorTaskDefinition"),
    }
