"""Mount targets, security groups, endpoints: who can reach what."""

from collections import Counter
from typing import Any

from checker.finding import Problems
from checker.template import Resource, Template
from checker.values import listed, number, referred, strings, truth

NFS = 2049
EVERYBODY = ("0.0.0.0/0", "::/0")
OPEN_TO_ALL = (80, 443)
GROUP = "AWS::EC2::SecurityGroup"


def users_of_files(template: Template) -> list[tuple[Resource, list[Any], list[Any]]]:
    """(service or function, its subnets, its security groups) of all that mount EFS."""
    found = []
    for service in template.of_type("AWS::ECS::Service"):
        network = service.get("NetworkConfiguration", "AwsvpcConfiguration", default={})
        task = template.target(service.get("TaskDefinition"), "AWS::ECS::TaskDefinition")
        volumes = listed(task.get("Volumes")) if task else []
        if any("EFSVolumeConfiguration" in volume for volume in volumes):
            found.append(
                (service, listed(network.get("Subnets")), listed(network.get("SecurityGroups")))
            )
    for function in template.of_type("AWS::Lambda::Function"):
        if function.get("FileSystemConfigs"):
            vpc = function.get("VpcConfig", default={})
            found.append(
                (function, listed(vpc.get("SubnetIds")), listed(vpc.get("SecurityGroupIds")))
            )
    return found


def mount_targets(template: Template) -> Problems:
    """A task in a zone without one cannot mount."""
    targets = template.of_type("AWS::EFS::MountTarget")
    if not template.of_type("AWS::EFS::FileSystem"):
        return
    subnets = [str(target.get("SubnetId")) for target in targets]
    for subnet, count in Counter(subnets).items():
        if count > 1:
            yield f"{targets[subnets.index(subnet)].name}: {count} mount targets in one subnet; one a zone"
    for user, used, _ in users_of_files(template):
        for subnet in used:
            if str(subnet) not in subnets and not template.is_a_list([subnet, *subnets]):
                yield (
                    f"{user.name}: runs in {subnet}, which has no mount target: add an"
                    " AWS::EFS::MountTarget there, or what starts in that zone cannot mount"
                )


def mount_target_group(template: Template) -> Problems:
    """Without a group of its own a mount target has the VPC's default one."""
    for target in template.of_type("AWS::EFS::MountTarget"):
        if not target.get("SecurityGroups"):
            yield f"{target.name}: name SecurityGroups that let in port {NFS} from tasks and functions only"


def ingress(template: Template) -> list[tuple[Resource, str, dict[str, Any]]]:
    """(resource, group it belongs to, rule), written inside the group or apart from it."""
    found = []
    for group in template.of_type(GROUP):
        found += [(group, group.name, rule) for rule in listed(group.get("SecurityGroupIngress"))]
    for apart in template.of_type("AWS::EC2::SecurityGroupIngress"):
        owner = template.target(apart.get("GroupId"), GROUP)
        found.append((apart, owner.name if owner else "", apart.properties))
    return found


def covers(rule: dict[str, Any], port: int) -> bool:
    if str(rule.get("IpProtocol")) == "-1":
        return True
    first, last = number(rule.get("FromPort")), number(rule.get("ToPort"))
    first = first if first is not None else last
    return first is not None and first <= port <= (last if last is not None else first)


def mount_groups(template: Template) -> set[str]:
    targets = template.of_type("AWS::EFS::MountTarget")
    return {
        name for target in targets for name in referred(target.get("SecurityGroups", default=[]))
    }


def file_system_closed(template: Template) -> Problems:
    """Only tasks and functions come in, known by their groups; by port 2049 only."""
    closed = mount_groups(template)
    for resource, owner, rule in ingress(template):
        if owner not in closed:
            continue
        for key in ("CidrIp", "CidrIpv6", "SourcePrefixListId"):
            if rule.get(key):
                yield (
                    f"{resource.name}: lets {rule[key]} to the file system; name the tasks' and"
                    " functions' groups instead (SourceSecurityGroupId)"
                )
        first, last = number(rule.get("FromPort")), number(rule.get("ToPort"))
        protocol = str(rule.get("IpProtocol")).lower()
        if protocol not in ("tcp", "6") or (first, last) != (NFS, NFS):
            yield f"{resource.name}: opens more or other than tcp port {NFS} of the file system; NFS needs that one"


def file_system_reachable(template: Template) -> Problems:
    """A mount whose group is not let in hangs, and the task with it."""
    closed = mount_groups(template)
    if not closed:
        return
    allowed = {
        str(rule.get("SourceSecurityGroupId"))
        for _, owner, rule in ingress(template)
        if owner in closed and covers(rule, NFS)
    }
    wide = any(rule.get("CidrIp") for _, owner, rule in ingress(template) if owner in closed)
    by_id = {
        name.removesuffix(".GroupId}") + ("}" if name.endswith(".GroupId}") else "")
        for name in allowed
    }
    for user, _, groups in users_of_files(template):
        names = {str(g).replace(".GroupId}", "}") for g in groups}
        if names and not wide and not names & by_id:
            yield f"{user.name}: none of its security groups may reach port {NFS} of the mount targets; let one in"


def file_system_for_its_users(template: Template) -> Problems:
    """A group that is let in and that nothing mounts from is a door left open."""
    closed = mount_groups(template)
    users = users_of_files(template)
    within = {name for _, _, groups in users for name in referred(groups)}
    hosts = template.of_type("AWS::EC2::Instance", "AWS::EC2::LaunchTemplate")
    within |= {name for host in hosts for name in referred(host.properties)}
    for resource, owner, rule in ingress(template):
        source = template.target(rule.get("SourceSecurityGroupId"), GROUP)
        if users and owner in closed and source and source.name not in within:
            yield f"{resource.name}: lets {source.name} to the file system, and nothing that mounts it is in that group; remove it"


def only_through_the_load_balancer(template: Template) -> Problems:
    """Who calls a task's port past it calls past HTTPS, its health checks and its log."""
    for service in template.of_type("AWS::ECS::Service"):
        network = service.get("NetworkConfiguration", "AwsvpcConfiguration", default={})
        groups = referred(listed(network.get("SecurityGroups")))
        ports = {number(b.get("ContainerPort")) for b in listed(service.get("LoadBalancers"))}
        for resource, owner, rule in ingress(template):
            if owner not in groups or not any(covers(rule, int(p)) for p in ports if p):
                continue
            for key in ("CidrIp", "CidrIpv6"):
                if rule.get(key) and rule[key] not in EVERYBODY:
                    yield f"{resource.name}: lets {rule[key]} to {service.name} past its load balancer; name the load balancer's group"
            first, last = number(rule.get("FromPort")), number(rule.get("ToPort"))
            if first != last or str(rule.get("IpProtocol")) == "-1":
                yield f"{resource.name}: opens more ports of {service.name} than the load balancer calls; name that one"


def open_to_everybody(template: Template) -> Problems:
    """Everybody may call a load balancer's ports at most."""
    for resource, _, rule in ingress(template):
        for key in ("CidrIp", "CidrIpv6"):
            if rule.get(key) not in EVERYBODY:
                continue
            first, last = number(rule.get("FromPort")), number(rule.get("ToPort"))
            if first == last and first in OPEN_TO_ALL and str(rule.get("IpProtocol")) != "-1":
                continue
            yield f"{resource.name}: is open to {rule[key]}; name who may come in"


def vpc_names(template: Template) -> Problems:
    """Mount targets and endpoints are found by name."""
    for vpc in template.of_type("AWS::EC2::VPC"):
        for key, default in (("EnableDnsSupport", True), ("EnableDnsHostnames", False)):
            if truth(vpc.get(key, default=default)) is False:
                yield f"{vpc.name}: set {key} to true, or the mount targets' names are not found"


def two_zones(template: Template) -> Problems:
    """One subnet is one zone, and its end is everybody's."""
    for user, subnets, _ in users_of_files(template):
        plain = [s for s in subnets if isinstance(s, str)]
        if (
            len(subnets) == 1
            and not template.is_a_list(subnets)
            and not any("Subnets" in each or "Split" in each for each in strings(plain))
        ):
            yield f"{user.name}: runs in one subnet; name subnets in two zones at least"


RULES = (
    mount_targets,
    mount_target_group,
    file_system_closed,
    file_system_reachable,
    file_system_for_its_users,
    only_through_the_load_balancer,
    open_to_everybody,
    vpc_names,
    two_zones,
)
