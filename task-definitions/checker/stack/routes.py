"""Subnets and routes of a VPC that the template makes: who gets out, and by which door."""

import ipaddress
from itertools import combinations

from checker.finding import Problems
from checker.template import Resource, Template
from checker.values import is_known, listed, referred, truth

SUBNET, VPC = "AWS::EC2::Subnet", "AWS::EC2::VPC"
ROUTE, ASSOCIATION = "AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation"
TABLE = "AWS::EC2::RouteTable"


def subnets_apart(template: Template) -> Problems:
    """Inside their VPC, and no two of one address."""
    known = [(s, net) for s in template.of_type(SUBNET) if (net := _network(s)) is not None]
    for (one, first), (other, second) in combinations(known, 2):
        if one.get("VpcId") == other.get("VpcId") and first.overlaps(second):
            yield f"{one.name} and {other.name}: {first} and {second} overlap; part them"
    for subnet, network in known:
        vpc = template.target(subnet.get("VpcId"), VPC)
        around = _network(vpc) if vpc else None
        if around is not None and not network.subnet_of(around):
            yield f"{subnet.name}: {network} lies outside its VPC's {around}"


def _network(resource: Resource) -> ipaddress.IPv4Network | None:
    block = resource.get("CidrBlock")
    if not is_known(block):
        return None
    try:
        return ipaddress.IPv4Network(str(block), strict=False)
    except ValueError:
        return None


def way_out(template: Template) -> Problems:
    """A task reaches ECR and CloudWatch by a NAT or endpoints, never through an internet gateway."""
    for service in template.of_type("AWS::ECS::Service"):
        network = service.get("NetworkConfiguration", "AwsvpcConfiguration", default={})
        if network.get("AssignPublicIp") == "ENABLED":
            continue
        for each in listed(network.get("Subnets")):
            subnet = template.target(each, SUBNET)
            if subnet is not None:
                yield from _leaves(template, service, subnet)


def _leaves(template: Template, service: Resource, subnet: Resource) -> Problems:
    if truth(subnet.get("MapPublicIpOnLaunch")):
        yield f"{subnet.name}: {service.name} runs there: set MapPublicIpOnLaunch to false, or run it in a private subnet"
    table = _table(template, subnet)
    if table is None:
        if template.of_type(ASSOCIATION):
            yield f"{subnet.name}: {service.name} runs there, and no route table is associated with it; add the association"
        return
    out = [r for r in _routes(template, table) if r.get("DestinationCidrBlock") == "0.0.0.0/0"]
    if any(r.get("GatewayId") for r in out):
        yield f"{subnet.name}: leads to an internet gateway, and {service.name}'s tasks have no public address; route by a NAT"
    gateways = [
        e
        for e in template.of_type("AWS::EC2::VPCEndpoint")
        if str(e.get("ServiceName")).endswith(".s3") and e.get("VpcEndpointType") == "Gateway"
    ]
    named = [t for e in gateways for t in listed(e.get("RouteTableIds"))]
    if not out and gateways and referred(named):
        if table.name not in referred(named):
            yield f"{gateways[0].name}: add {table.name}, {service.name}'s route table, to RouteTableIds: images' layers lie in S3"
    elif not out and not template.of_type("AWS::EC2::VPCEndpoint"):
        yield f"{subnet.name}: {service.name} runs there, and no route leads out; add one by a NAT, or endpoints"


def nat_in_public(template: Template) -> Problems:
    """A NAT gateway itself leaves through the internet gateway."""
    for gateway in template.of_type("AWS::EC2::NatGateway"):
        if not any(
            template.target(r.get("NatGatewayId")) == gateway for r in template.of_type(ROUTE)
        ):
            yield f"{gateway.name}: no route leads to it; add one to the private subnets' route table"
        leading = [
            r for r in template.of_type(ROUTE) if template.target(r.get("NatGatewayId")) == gateway
        ]
        places = {
            str(r.get("DestinationCidrBlock") or r.get("DestinationIpv6CidrBlock")) for r in leading
        }
        if (
            leading
            and all(map(is_known, places))
            and not places & {"0.0.0.0/0", "64:ff9b::/96", "None"}
        ):
            yield f"{gateway.name}: leads to {', '.join(sorted(places))} only; make the route's DestinationCidrBlock 0.0.0.0/0"
        if gateway.get("ConnectivityType") == "private":
            continue
        if not gateway.get("AllocationId"):
            yield f"{gateway.name}: give it an AllocationId, the address (EIP) by which it leaves"
        subnet = template.target(gateway.get("SubnetId"), SUBNET)
        table = _table(template, subnet) if subnet else None
        if subnet and table and not any(r.get("GatewayId") for r in _routes(template, table)):
            yield f"{gateway.name}: {subnet.name} has no route to an internet gateway; put it into a public subnet"


def public_balancer(template: Template) -> Problems:
    """What faces the internet needs a way to it and back."""
    for balancer in template.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if balancer.get("Scheme", default="internet-facing") != "internet-facing":
            continue
        for each in listed(balancer.get("Subnets")):
            subnet = template.target(each, SUBNET)
            table = _table(template, subnet) if subnet else None
            out = any(r.get("GatewayId") for r in _routes(template, table)) if table else False
            if subnet and not out and template.of_type(ASSOCIATION):
                yield f"{balancer.name}: faces the internet, and {subnet.name} has no route to an internet gateway; name public subnets"


def _table(template: Template, subnet: Resource) -> Resource | None:
    for each in template.of_type(ASSOCIATION):
        if template.target(each.get("SubnetId"), SUBNET) == subnet:
            return template.target(each.get("RouteTableId"), TABLE)
    return None


def _routes(template: Template, table: Resource) -> list[Resource]:
    return [
        each
        for each in template.of_type(ROUTE)
        if template.target(each.get("RouteTableId"), TABLE) == table
    ]


RULES = (subnets_apart, way_out, nat_in_public, public_balancer)
