"""Parts of a stack that must speak of the same thing."""

import re
from typing import Any

from checker.finding import Problems
from checker.stack.execution import covers_group
from checker.stack.network import GROUP, NFS, covers, ingress, mount_groups, users_of_files
from checker.stack.roles import allowed_to
from checker.template import Resource, Template
from checker.values import is_known, listed, number, referred, truth

SERVICE, TASK = "AWS::ECS::Service", "AWS::ECS::TaskDefinition"
LOG_GROUP = "AWS::Logs::LogGroup"
SECRET = re.compile(r"password|secret|token|apikey", re.I)
# Seconds: the health checks of sidecar and app begin to count after 30.
LEAST_GRACE = 30


def mount_targets_of_the_file_system(template: Template) -> Problems:
    """Of another file system they help nobody here."""
    systems = {each.name for each in template.of_type("AWS::EFS::FileSystem")}
    for target in template.of_type("AWS::EFS::MountTarget"):
        if systems and not referred(target.get("FileSystemId")) & systems:
            yield f"{target.name}: is of {target.get('FileSystemId')}, not of {', '.join(sorted(systems))}"


def zones_apart(template: Template) -> Problems:
    """Two subnets of one zone are one zone."""
    zones: dict[str, str] = {}
    for target in template.of_type("AWS::EFS::MountTarget"):
        subnet = template.target(target.get("SubnetId"), "AWS::EC2::Subnet")
        zone = str(subnet.get("AvailabilityZone")) if subnet else ""
        if subnet and zone in zones and zone != "None":
            yield f"{target.name}: {subnet.name} is in the zone of {zones[zone]}; one mount target a zone"
        elif subnet:
            zones[zone] = subnet.name
    for balancer in template.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if len(listed(balancer.get("Subnets"))) == 1:
            yield f"{balancer.name}: names one subnet; an application load balancer needs two zones"
    for endpoint in template.of_type("AWS::EC2::VPCEndpoint"):
        if (
            endpoint.get("VpcEndpointType") == "Interface"
            and len(listed(endpoint.get("SubnetIds"))) == 1
        ):
            yield f"{endpoint.name}: is in one zone; name a subnet in each that tasks run in"


def users_may_leave(template: Template) -> Problems:
    """A security group that lists where its members may go must list the mount targets."""
    apart = template.of_type("AWS::EC2::SecurityGroupEgress")
    for user, _, groups in users_of_files(template):
        found = [g for g in (template.target(each, GROUP) for each in groups) if g is not None]
        rules = [listed(g.get("SecurityGroupEgress")) for g in found]
        if not found or any(not each for each in rules):
            continue
        rules += [
            [e.properties for e in apart if template.target(e.get("GroupId"), GROUP) in found]
        ]
        closed = mount_groups(template)
        if not any(
            covers(r, NFS) and _leads_to(template, r, closed) for each in rules for r in each
        ):
            yield f"{user.name}: its security groups let it go nowhere on port {NFS}; allow the mount targets"


def _leads_to(template: Template, rule: dict[str, Any], groups: set[str]) -> bool:
    """To the mount targets, as far as the template can tell."""
    goal = template.target(rule.get("DestinationSecurityGroupId"), GROUP)
    return goal is None or not groups & template.resources.keys() or goal.name in groups


def app_reachable(template: Template) -> Problems:
    """The load balancer must be let in on the container's port."""
    for service in template.of_type(SERVICE):
        network = service.get("NetworkConfiguration", "AwsvpcConfiguration", default={})
        groups = referred(listed(network.get("SecurityGroups"))) & template.resources.keys()
        for balancer in listed(service.get("LoadBalancers")):
            port = number(balancer.get("ContainerPort"))
            rules = [rule for _, owner, rule in ingress(template) if owner in groups]
            if groups and port is not None and not any(covers(rule, int(port)) for rule in rules):
                yield f"{service.name}: its security groups let nobody in on port {port:.0f}; let the load balancer in"
        grace = number(service.get("HealthCheckGracePeriodSeconds"))
        if grace is not None and 0 < grace < LEAST_GRACE and service.get("LoadBalancers"):
            yield f"{service.name}: HealthCheckGracePeriodSeconds {grace:.0f} ends before the app serves; make it 90"
    for group in template.of_type("AWS::ElasticLoadBalancingV2::TargetGroup"):
        path = group.get("HealthCheckPath")
        if is_known(path) and not str(path).startswith("/"):
            yield f"{group.name}: HealthCheckPath {path!r} must begin with /"


def not_on_spot_alone(template: Template) -> Problems:
    """Spot may take every task within two minutes."""
    for service in template.of_type(SERVICE):
        names = [
            str(e.get("CapacityProvider")) for e in listed(service.get("CapacityProviderStrategy"))
        ]
        if names and set(names) == {"FARGATE_SPOT"}:
            yield f"{service.name}: runs on Spot alone; add FARGATE with a Base of 1"


def groups_of_the_sidecar(template: Template) -> Problems:
    """It may write to the groups it is told of, and artifacts have one of their own."""
    groups = {str(g.get("LogGroupName")): g for g in template.of_type(LOG_GROUP)}
    for task in template.of_type(TASK):
        role = template.target(task.get("TaskRoleArn"), "AWS::IAM::Role")
        for container in listed(task.get("ContainerDefinitions")):
            told = {e.get("Name"): e.get("Value") for e in listed(container.get("Environment"))}
            group = template.target(told.get("SIDECAR_LOG_GROUP"), LOG_GROUP)
            if group is None:
                name = str(told.get("SIDECAR_LOG_GROUP", ""))
                if groups and is_known(name) and name.startswith("/") and name not in groups:
                    yield f"{task.name}: ships to {name}, which is not in the template; make it there, with RetentionInDays"
                continue
            needed = [group]
            if told.get("SIDECAR_ARTIFACTS"):
                name = f"{group.get('LogGroupName')}/artifacts"
                if name not in groups:
                    yield f"{task.name}: artifacts go to {name}; make that log group too, with RetentionInDays"
                else:
                    needed.append(groups[name])
            for each in needed:
                if each.attributes.get("DeletionPolicy", "Delete") == "Delete":
                    yield f"{each.name}: set DeletionPolicy to Retain: what was shipped is in it"
                if role and not _may_write(template, role, each):
                    yield f"{role.name}: {task.name} ships to {each.name}; allow logs:PutLogEvents on its ARN"


def _may_write(template: Template, role: Resource, group: Resource) -> bool:
    return bool(role.get("ManagedPolicyArns")) or covers_group(allowed_to(template, role), group)


def alarm_expressions(template: Template) -> Problems:
    """Exactly one result, of metrics that are there."""
    for alarm in template.of_type("AWS::CloudWatch::Alarm"):
        queries = listed(alarm.get("Metrics"))
        known = {str(query.get("Id")) for query in queries}
        if queries and sum(truth(q.get("ReturnData", True)) is not False for q in queries) != 1:
            yield f"{alarm.name}: exactly one of Metrics returns data; set ReturnData false on the others"
        for query in queries:
            used = set(re.findall(r"\b[a-z]\w*", str(query.get("Expression", "")))) - known
            if used:
                yield f"{alarm.name}: {query.get('Expression')} names {', '.join(sorted(used))}, which is no Id of Metrics"
        periods = [alarm.get("Period")] + [
            (q.get("MetricStat") or {}).get("Period") for q in queries
        ]
        for period in (number(each) for each in periods):
            if period is not None and period not in (10, 20, 30) and (period <= 0 or period % 60):
                yield f"{alarm.name}: Period {period:g} is none of 10, 20, 30 or a multiple of 60"
        given = template.document["Resources"][alarm.name]["Properties"].get("AlarmActions")
        if given == []:
            yield f"{alarm.name}: AlarmActions is empty: nobody hears of it"


def scaled_service(template: Template) -> Problems:
    """service/CLUSTER/SERVICE, of this stack."""
    services = template.of_type(SERVICE)
    for target in template.of_type("AWS::ApplicationAutoScaling::ScalableTarget"):
        resource = str(target.get("ResourceId"))
        if target.get("ServiceNamespace") != "ecs":
            if template.target(resource, SERVICE):
                yield f"{target.name}: scales a service; ServiceNamespace is ecs, ScalableDimension ecs:service:DesiredCount"
            continue
        service, cluster = template.target(resource, SERVICE), resource.split("/")[1:2]
        own = str(service.get("Cluster", default="default")) if service else ""
        if service and cluster and cluster != [own] and "/" not in own and ".Arn}" not in own:
            yield f"{target.name}: ResourceId names the cluster {cluster[0]}, and {service.name} is in {own}; make them one"
        if is_known(resource) and not re.fullmatch(r"service/[^/]+/[^/]+", resource):
            yield f"{target.name}: ResourceId {resource} must be service/CLUSTER/SERVICE"
        elif services and not template.target(resource, SERVICE):
            yield f"{target.name}: ResourceId {resource} names no service of this template"
        elif resource.endswith(tuple(f"/${{{s.name}}}" for s in services)):
            yield f"{target.name}: ResourceId takes the service's name (GetAtt Name), not its ARN (Ref)"


def families_apart(template: Template) -> Problems:
    """Revisions of two programs under one name: the newest is whichever came last."""
    families: dict[str, str] = {}
    for task in template.of_type(TASK):
        family = str(task.get("Family", default=task.name))
        if family in families:
            yield f"{task.name}: has the Family {family} of {families[family]}; give each its own"
        families[family] = task.name


def cluster_providers(template: Template) -> Problems:
    """A strategy names what the cluster has."""
    associations = template.of_type("AWS::ECS::ClusterCapacityProviderAssociations")
    for service in template.of_type(SERVICE):
        cluster = template.target(service.get("Cluster"), "AWS::ECS::Cluster")
        if cluster is None or associations:
            continue
        there = listed(cluster.get("CapacityProviders"))
        for each in listed(service.get("CapacityProviderStrategy")):
            name = each.get("CapacityProvider")
            if is_known(name) and name not in there and not any(not is_known(p) for p in there):
                yield f"{service.name}: its CapacityProviderStrategy names {name}, which {cluster.name} does not have; add it there"


def versions_of_their_function(template: Template) -> Problems:
    """An alias points to a version of its own function, which may run."""
    functions = "AWS::Lambda::Function"
    for alias in template.of_type("AWS::Lambda::Alias"):
        if alias.get("FunctionVersion") == "$LATEST":
            yield f"{alias.name}: $LATEST changes under its callers, and nothing can be rolled back; name a published version"
        version = template.target(alias.get("FunctionVersion"), "AWS::Lambda::Version")
        own = template.target(alias.get("FunctionName"), functions)
        if version and own and template.target(version.get("FunctionName"), functions) != own:
            yield f"{alias.name}: is an alias of {own.name}, and {version.name} is another function's"
    for function in template.of_type(functions):
        if number(function.get("ReservedConcurrentExecutions")) == 0:
            yield f"{function.name}: ReservedConcurrentExecutions 0 lets no invocation run"


def secrets_in_parameters(template: Template) -> Problems:
    """Whoever may describe the stack reads its parameters."""
    for name, body in (template.document.get("Parameters") or {}).items():
        if not SECRET.search(name):
            continue
        if truth(body.get("NoEcho")) is not True:
            yield f"parameter {name}: set NoEcho to true, or better, name a secret's ARN"
        if body.get("Default"):
            yield f"parameter {name}: has its secret as a Default; remove it"


def group_zero(template: Template) -> Problems:
    """Root's group."""
    for point in template.of_type("AWS::EFS::AccessPoint"):
        if any(number(gid) == 0 for gid in listed(point.get("PosixUser", "SecondaryGids"))):
            yield f"{point.name}: SecondaryGids holds 0, root's group; remove it"


RULES = (
    mount_targets_of_the_file_system,
    zones_apart,
    users_may_leave,
    app_reachable,
    not_on_spot_alone,
    groups_of_the_sidecar,
    alarm_expressions,
    scaled_service,
    families_apart,
    cluster_providers,
    versions_of_their_function,
    secrets_in_parameters,
    group_zero,
)
