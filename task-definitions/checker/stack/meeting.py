"""Whether who calls and who is called can meet: VPCs, ports, security groups, ways out."""

from collections.abc import Iterator
from typing import Any

from checker.finding import Problems
from checker.stack.network import GROUP, covers, ingress
from checker.template import Resource, Template
from checker.values import is_known, listed, number, referred

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
# What lies in one VPC, and says in which.
IN_A_VPC = (GROUP, TARGET_GROUP, "AWS::EC2::Subnet", "AWS::EC2::RouteTable")
# These may speak of two: by peering.
BETWEEN = (GROUP, "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
HTTPS = 443


def one_vpc(template: Template) -> Problems:
    """What is named together lies together, or the deployment fails."""
    for each in template.resources.values():
        named = [template.resources.get(name) for name in referred(each.properties)]
        places = {str(p.get("VpcId")): p.name for p in named if p and p.type in IN_A_VPC}
        if each.type == "AWS::EC2::VPCEndpoint":
            places[str(each.get("VpcId"))] = each.name
        if each.type not in BETWEEN and len(places) > 1:
            names = " and ".join(f"{name} in {vpc}" for vpc, name in sorted(places.items()))
            yield f"{each.name}: speaks of {names}; they must lie in one VPC"


def listener_open(template: Template) -> Problems:
    """A listener on a port that its load balancer's groups keep shut answers nobody."""
    for listener in template.of_type(LISTENER):
        balancer = template.target(listener.get("LoadBalancerArn"), BALANCER)
        port = number(listener.get("Port"))
        groups = _groups(template, balancer.get("SecurityGroups")) if balancer else []
        if not groups or port is None:
            continue
        if not any(covers(rule, int(port)) for rule in _into(template, groups)):
            yield f"{listener.name}: listens on port {port:.0f}, where its load balancer's security groups let nobody in; open it"


def balancer_reaches_its_targets(template: Template) -> Problems:
    """Its group must be let in by the tasks', and may not be kept from leaving."""
    for service, group, balancer, port in _balanced(template):
        callers = _groups(template, balancer.get("SecurityGroups"))
        callees = _groups(
            template, service.get("NetworkConfiguration", "AwsvpcConfiguration", "SecurityGroups")
        )
        asked = {port, number(group.get("HealthCheckPort"))} - {None}
        for each in sorted(int(p) for p in asked if p is not None):
            if callers and callees and not _lets(template, callees, callers, each):
                yield f"{service.name}: its security groups do not let {balancer.name} in on port {each}; name {callers[0].name} as the source"
            if callers and not _leaves(template, callers, each):
                yield f"{balancer.name}: its security groups' egress leaves out port {each} of {service.name}; add it"


def _balanced(template: Template) -> Iterator[tuple[Resource, Resource, Resource, float]]:
    """(service, target group, load balancer, container's port), as far as the template has them."""
    for service in template.of_type("AWS::ECS::Service"):
        for each in listed(service.get("LoadBalancers")):
            group = template.target(each.get("TargetGroupArn"), TARGET_GROUP)
            port = number(each.get("ContainerPort"))
            if group and port is not None:
                for balancer in _balancers(template, group):
                    yield service, group, balancer, port


def _balancers(template: Template, group: Resource) -> list[Resource]:
    listeners = [e for e in template.of_type(LISTENER) if group.name in referred(e.properties)]
    for rule in template.of_type(RULE):
        listener = template.target(rule.get("ListenerArn"), LISTENER)
        if listener and group.name in referred(rule.properties):
            listeners.append(listener)
    found = [template.target(e.get("LoadBalancerArn"), BALANCER) for e in listeners]
    return list({each.name: each for each in found if each}.values())


def balancer_group(template: Template) -> Problems:
    """Without one it has the VPC's default group, which nobody outside is let into."""
    for balancer in template.of_type(BALANCER):
        kind = balancer.get("Type", default="application")
        if kind == "application" and not balancer.get("SecurityGroups"):
            yield f"{balancer.name}: name SecurityGroups that let its callers in"


def listener_protocol(template: Template) -> Problems:
    """HTTP is an application load balancer's, TCP a network one's."""
    for listener in template.of_type(LISTENER):
        balancer = template.target(listener.get("LoadBalancerArn"), BALANCER)
        if balancer is None or not is_known(listener.get("Protocol")):
            continue
        kind = balancer.get("Type", default="application")
        of_http = listener.get("Protocol") in ("HTTP", "HTTPS")
        if kind in ("application", "network") and of_http != (kind == "application"):
            yield f"{listener.name}: Protocol {listener.get('Protocol')} is not to be had with {balancer.name}, which is of the Type {kind}"


def somebody_registers(template: Template) -> Problems:
    """A listener that forwards to nobody answers 503."""
    services = template.of_type("AWS::ECS::Service")
    registered = {name for service in services for name in referred(service.get("LoadBalancers"))}
    for group in template.of_type(TARGET_GROUP):
        ours = group.get("TargetType") == "ip" and not group.get("Targets")
        if services and ours and group.name not in registered and _balancers(template, group):
            yield f"{group.name}: a listener forwards to it and no service registers its tasks; name it in the service's LoadBalancers"


def tasks_may_leave(template: Template) -> Problems:
    """Images come, and lines go, by HTTPS."""
    for service in template.of_type("AWS::ECS::Service"):
        network = service.get("NetworkConfiguration", "AwsvpcConfiguration", default={})
        groups = _groups(template, network.get("SecurityGroups"))
        if groups and not _leaves(template, groups, HTTPS):
            yield f"{service.name}: its security groups let it go nowhere on port {HTTPS}; it must reach ECR and CloudWatch Logs"


def _groups(template: Template, given: Any) -> list[Resource]:
    """Those groups; none where one of them is not of the template."""
    found = [template.target(each, GROUP) for each in listed(given)]
    return [each for each in found if each] if all(found) else []


def _into(template: Template, groups: list[Resource]) -> list[dict[str, Any]]:
    names = {group.name for group in groups}
    return [rule for _, owner, rule in ingress(template) if owner in names]


def _lets(template: Template, callees: list[Resource], callers: list[Resource], port: int) -> bool:
    """By the callers' group, by an address, or by what is not known yet."""
    for rule in _into(template, callees):
        source = template.target(rule.get("SourceSecurityGroupId"), GROUP)
        if covers(rule, port) and (source is None or source in callers):
            return True
    return False


def _leaves(template: Template, groups: list[Resource], port: int) -> bool:
    apart = template.of_type("AWS::EC2::SecurityGroupEgress")
    for group in groups:
        rules = listed(group.get("SecurityGroupEgress"))
        rules += [e.properties for e in apart if template.target(e.get("GroupId"), GROUP) == group]
        if not rules or any(covers(rule, port) for rule in rules):
            return True
    return False


RULES = (
    one_vpc,
    listener_open,
    balancer_reaches_its_targets,
    balancer_group,
    listener_protocol,
    somebody_registers,
    tasks_may_leave,
)
