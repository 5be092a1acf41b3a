"""Endpoints: the way to AWS where there is no NAT."""

from checker.finding import Problems
from checker.policy import Policy
from checker.stack.network import covers, ingress
from checker.stack.roles import may
from checker.template import Resource, Template
from checker.values import listed, referred, strings, truth

NEEDED_ENDPOINTS = ("logs", "ecr.api", "ecr.dkr", "s3")
# What tasks ask of each; and where ECR keeps images' layers.
ASKED = {
    "logs": ("logs:PutLogEvents",),
    "ecr.api": ("ecr:GetAuthorizationToken", "ecr:BatchGetImage"),
    "ecr.dkr": ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
    "s3": ("s3:GetObject",),
}
LAYERS = "starport-layer-bucket"


def endpoints(template: Template) -> Problems:
    """A VPC of the template without a NAT reaches AWS through endpoints or not at all."""
    if not template.of_type("AWS::EC2::VPC") or template.of_type("AWS::EC2::NatGateway"):
        return
    services = [s for s in template.of_type("AWS::ECS::Service") if not _is_public(s)]
    if not services:
        return
    there = {_service(e): e for e in template.of_type("AWS::EC2::VPCEndpoint")}
    for name in NEEDED_ENDPOINTS:
        if name not in there:
            yield f"{services[0].name}: there is no NAT and no endpoint for {name}: add an AWS::EC2::VPCEndpoint"
    for name, endpoint in there.items():
        if endpoint.get("VpcEndpointType", default="Gateway") == "Gateway":
            if not endpoint.get("RouteTableIds"):
                yield f"{endpoint.name}: a gateway endpoint works through RouteTableIds; name the private ones"
            if name not in ("s3", "dynamodb"):
                yield f"{endpoint.name}: {name} has no gateway endpoint; set VpcEndpointType to Interface"
            continue
        if truth(endpoint.get("PrivateDnsEnabled", default=False)) is False:
            yield f"{endpoint.name}: set PrivateDnsEnabled to true, or nobody finds it by the service's name"


def endpoints_let_in(template: Template) -> Problems:
    """With a private name an endpoint is the only way to its service, a NAT beside it or not."""
    for endpoint in template.of_type("AWS::EC2::VPCEndpoint"):
        if endpoint.get("VpcEndpointType") == "Interface":
            yield from _lets_in(template, endpoint)


def _lets_in(template: Template, endpoint: Resource) -> Problems:
    groups = referred(endpoint.get("SecurityGroupIds", default=[]))
    rules = [rule for _, owner, rule in ingress(template) if owner in groups]
    if not groups:
        yield f"{endpoint.name}: name SecurityGroupIds that let the tasks in on port 443"
    elif not any(covers(rule, 443) for rule in rules) and groups & template.resources.keys():
        yield f"{endpoint.name}: its security groups let nobody in on port 443; let the tasks in"
    elif groups <= template.resources.keys():
        open_to = [rule for rule in rules if covers(rule, 443)]
        if any(not rule.get("SourceSecurityGroupId") for rule in open_to):
            return
        allowed = referred([rule.get("SourceSecurityGroupId") for rule in open_to])
        for service in template.of_type("AWS::ECS::Service"):
            network = service.get("NetworkConfiguration", "AwsvpcConfiguration", default={})
            own = referred(listed(network.get("SecurityGroups")))
            if own and not own & allowed:
                yield f"{endpoint.name}: its security groups do not let {service.name} in on port 443; let its group in"


def _is_public(service: Resource) -> bool:
    network = service.get("NetworkConfiguration", "AwsvpcConfiguration", default={})
    return bool(network.get("AssignPublicIp") == "ENABLED")


def endpoint_policies(template: Template) -> Problems:
    """What its policy does not allow goes through it for nobody."""
    for endpoint in template.of_type("AWS::EC2::VPCEndpoint"):
        document = endpoint.get("PolicyDocument")
        name = _service(endpoint)
        if not isinstance(document, dict) or name not in ASKED:
            continue
        allowing = [dict(s) for s in Policy(document, of_resource=True).allowing]
        for action in ASKED[name]:
            if not may(allowing, action):
                yield f"{endpoint.name}: its policy does not allow {action}, which tasks need; add it"
        resources = list(strings([listed(s.get("Resource")) for s in allowing]))
        if name == "s3" and not any(r in ("*", "arn:aws:s3:::*") or LAYERS in r for r in resources):
            yield (
                f"{endpoint.name}: its policy must allow s3:GetObject on"
                " arn:aws:s3:::prod-REGION-starport-layer-bucket/*, where ECR keeps images' layers"
            )


def _service(endpoint: Resource) -> str:
    name = str(endpoint.get("ServiceName"))
    return name.partition("}.")[2] or name.split(".", 3)[-1]


RULES = (endpoints, endpoints_let_in, endpoint_policies)
