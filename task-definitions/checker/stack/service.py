"""ECS services: deployments that overlap, go back by themselves, and can mount and be called."""

import re
from typing import Any

from checker.finding import Problems
from checker.template import Resource, Template
from checker.values import is_known, listed, number, strings, truth

ECS_SCALING = (
    "ECSServiceAverageCPUUtilization",
    "ECSServiceAverageMemoryUtilization",
    "ALBRequestCountPerTarget",
)
# ELB security policies that end at TLS 1.2, by a part of their names.
MODERN_TLS = ("TLS13-1-2", "TLS13-1-3", "TLS-1-2", "FS-1-2")
TYPE = "AWS::ECS::Service"
TASK = "AWS::ECS::TaskDefinition"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"


def circuit_breaker(template: Template) -> Problems:
    """A deployment whose tasks never become healthy goes on for ever otherwise."""
    for service in template.of_type(TYPE):
        breaker = service.get("DeploymentConfiguration", "DeploymentCircuitBreaker", default={})
        controller = service.get("DeploymentController", "Type", default="ECS")
        if is_known(controller) and controller != "ECS":
            if truth(breaker.get("Enable")) is True:
                yield f"{service.name}: the circuit breaker is for the DeploymentController ECS, not {controller}; keep one"
        elif truth(breaker.get("Enable")) is not True:
            yield f"{service.name}: enable DeploymentConfiguration.DeploymentCircuitBreaker"
        elif truth(breaker.get("Rollback")) is not True:
            yield f"{service.name}: set DeploymentCircuitBreaker.Rollback to true"


def deployments_overlap(template: Template) -> Problems:
    """The new task runs before the old one stops."""
    for service in template.of_type(TYPE):
        deployment = service.get("DeploymentConfiguration", default={})
        most = number(deployment.get("MaximumPercent", 200))
        least = number(deployment.get("MinimumHealthyPercent", 100))
        if most is not None and most <= 100:
            yield f"{service.name}: MaximumPercent {most:.0f} lets no new task start beside the old; make it 200"
        if least is not None and least < 100:
            yield f"{service.name}: MinimumHealthyPercent {least:.0f} stops tasks before new ones serve; make it 100"


def service_network(template: Template) -> Problems:
    """awsvpc needs one, in private subnets."""
    for service in template.of_type(TYPE):
        network = service.get("NetworkConfiguration", "AwsvpcConfiguration", default={})
        task = template.target(service.get("TaskDefinition"), TASK)
        if task and task.get("NetworkMode") == "awsvpc" and not network.get("Subnets"):
            yield f"{service.name}: awsvpc needs NetworkConfiguration with Subnets"
        if network and not network.get("SecurityGroups"):
            yield f"{service.name}: name SecurityGroups: the VPC's default one is not let to the file system"
        if network.get("AssignPublicIp") == "ENABLED":
            yield f"{service.name}: set AssignPublicIp to DISABLED and reach AWS by a NAT or endpoints"


def service_waits_for_mounts(template: Template) -> Problems:
    """Started before its mount targets, a task fails to mount, and the breaker trips."""
    targets = {target.name for target in template.of_type("AWS::EFS::MountTarget")}
    for service in template.of_type(TYPE):
        task = template.target(service.get("TaskDefinition"), TASK)
        volumes = listed(task.get("Volumes")) if task else []
        if not any("EFSVolumeConfiguration" in volume for volume in volumes):
            continue
        for name in sorted(targets - template.comes_before(service)):
            yield f"{service.name}: add {name} to its DependsOn: tasks started before it cannot mount"


def service_platform(template: Template) -> Problems:
    """EFS came with 1.4.0."""
    for service in template.of_type(TYPE):
        platform = str(service.get("PlatformVersion", default="LATEST"))
        if platform in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
            yield f"{service.name}: PlatformVersion {platform} cannot mount EFS; make it LATEST"


def service_fits_its_task(template: Template) -> Problems:
    """Fargate runs what is made for Fargate."""
    for service in template.of_type(TYPE):
        task = template.target(service.get("TaskDefinition"), TASK)
        if task is None:
            continue
        providers = listed(service.get("CapacityProviderStrategy"))
        fargate = service.get("LaunchType") == "FARGATE" or any(
            str(each.get("CapacityProvider", "")).startswith("FARGATE") for each in providers
        )
        compatible = task.get("RequiresCompatibilities", default=[])
        if fargate and "FARGATE" not in compatible:
            yield f"{service.name}: runs on Fargate, and {task.name} does not require FARGATE"
        if (
            not fargate
            and compatible == ["FARGATE"]
            and not (service.get("LaunchType") or providers)
        ):
            yield f"{service.name}: runs on EC2 without a LaunchType; name FARGATE, or a CapacityProviderStrategy"
        if service.get("LaunchType") and providers:
            yield f"{service.name}: LaunchType and CapacityProviderStrategy exclude each other; keep one"
        if service.get("LaunchType") == "EC2" and compatible == ["FARGATE"]:
            yield f"{service.name}: LaunchType EC2, and {task.name} is for FARGATE only"


def load_balanced(template: Template) -> Problems:
    """The load balancer's container, port and target type are the task's."""
    for service in template.of_type(TYPE):
        task = template.target(service.get("TaskDefinition"), TASK)
        balancers = listed(service.get("LoadBalancers"))
        for balancer in balancers:
            yield from (f"{service.name}: {text}" for text in _container(task, balancer))
            group = template.target(balancer.get("TargetGroupArn"), TARGET_GROUP)
            if group and group.get("TargetType", default="instance") != "ip":
                yield f"{group.name}: set TargetType to ip: awsvpc tasks have addresses of their own"
            if group and not _forwarded_to(template, group.name):
                yield f"{group.name}: no listener forwards to it; the service cannot be made"
            elif group and not _waits_for_a_listener(template, service.name, group.name):
                yield (
                    f"{service.name}: add the listener to its DependsOn: a target group without a"
                    " load balancer is refused"
                )
        if balancers and not service.get("HealthCheckGracePeriodSeconds"):
            yield (
                f"{service.name}: set HealthCheckGracePeriodSeconds: the app waits for the sidecar to"
                " be healthy, and would be replaced before it serves"
            )


def _container(task: Resource | None, balancer: dict[str, Any]) -> Problems:
    containers = (
        {c.get("Name"): c for c in listed(task.get("ContainerDefinitions"))} if task else {}
    )
    name, port = balancer.get("ContainerName"), balancer.get("ContainerPort")
    if task is None or not containers:
        return
    if name not in containers:
        yield f"the load balancer names container {name}, which {task.name} does not have"
        return
    mapped = {number(m.get("ContainerPort")) for m in listed(containers[name].get("PortMappings"))}
    if number(port) not in mapped:
        yield f"the load balancer calls port {port} of {name}, which maps {sorted(map(str, mapped))}"


def _listeners(template: Template, group: str) -> set[str]:
    types = ("AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule")
    return {
        each.name
        for each in template.of_type(*types)
        if any(f"${{{group}}}" in s for s in strings(each.properties))
    }


def _forwarded_to(template: Template, group: str) -> bool:
    return bool(_listeners(template, group)) or not template.of_type(
        "AWS::ElasticLoadBalancingV2::LoadBalancer"
    )


def _waits_for_a_listener(template: Template, service: str, group: str) -> bool:
    listeners = _listeners(template, group)
    return not listeners or bool(listeners & template.comes_before(template.resources[service]))


def plain_http(template: Template) -> Problems:
    """To the internet in HTTPS only."""
    for balancer in template.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if balancer.get("Scheme", default="internet-facing") != "internet-facing":
            continue
        listeners = [
            each
            for each in template.of_type("AWS::ElasticLoadBalancingV2::Listener")
            if template.target(each.get("LoadBalancerArn")) == balancer
        ]
        for listener in listeners:
            actions = [a.get("Type") for a in listed(listener.get("DefaultActions"))]
            if listener.get("Protocol") == "HTTP" and "redirect" not in actions:
                yield f"{listener.name}: serves the internet in HTTP; redirect to HTTPS"


def tls_policy(template: Template) -> Problems:
    """A listener's default policy still speaks TLS 1.0."""
    for listener in template.of_type("AWS::ElasticLoadBalancingV2::Listener"):
        policy = listener.get("SslPolicy")
        if listener.get("Protocol") not in ("HTTPS", "TLS") or (policy and not is_known(policy)):
            continue
        if not policy or not any(part in str(policy) for part in MODERN_TLS):
            yield f"{listener.name}: SslPolicy {policy or 'left out'} takes TLS 1.0; make it ELBSecurityPolicy-TLS13-1-2-2021-06"


def target_health(template: Template) -> Problems:
    """What is asked must be able to say no."""
    for group in template.of_type(TARGET_GROUP):
        codes = str(group.get("Matcher", "HttpCode", default="200"))
        for low, high in re.findall(r"(\d{3})(?:-(\d{3}))?", codes):
            if int(high or low) >= 500 or int(low) <= 404 <= int(high or low):
                yield f"{group.name}: Matcher {codes} calls an app that fails healthy; make it 200"
                break


def exec_and_read_only(template: Template) -> Problems:
    """ECS Exec writes into the container's root."""
    for service in template.of_type(TYPE):
        task = template.target(service.get("TaskDefinition"), TASK)
        containers = listed(task.get("ContainerDefinitions")) if task else []
        if truth(service.get("EnableExecuteCommand")) and any(
            truth(c.get("ReadonlyRootFilesystem")) for c in containers
        ):
            yield f"{service.name}: ECS Exec does not work with a read-only root; leave EnableExecuteCommand off"


def scaling(template: Template) -> Problems:
    """Targets with policies, bounds the right way round."""
    policies = template.of_type("AWS::ApplicationAutoScaling::ScalingPolicy")
    scaled = set()
    for target in template.of_type("AWS::ApplicationAutoScaling::ScalableTarget"):
        least, most = number(target.get("MinCapacity")), number(target.get("MaxCapacity"))
        if least is not None and most is not None and least > most:
            yield f"{target.name}: MinCapacity {least:.0f} is over MaxCapacity {most:.0f}"
        if least is not None and least < 1 and target.get("ServiceNamespace") == "ecs":
            yield f"{target.name}: MinCapacity {least:.0f} may leave no task, and nobody to ship; make it 1 or more"
        using = [p for p in policies if target.name in template.comes_before(p)]
        if not using:
            yield f"{target.name}: has no ScalingPolicy, so nothing scales; add one"
        dimension = target.get("ScalableDimension")
        if (
            target.get("ServiceNamespace") == "ecs"
            and is_known(dimension)
            and dimension != "ecs:service:DesiredCount"
        ):
            yield f"{target.name}: ScalableDimension for ECS is ecs:service:DesiredCount"
        service = template.target(target.get("ResourceId"), TYPE)
        if service:
            scaled.add(service.name)
    for name in sorted(scaled):
        if template.resources[name].get("DesiredCount") is not None:
            yield f"{name}: leave DesiredCount out: each update of the stack would undo what scaling decided"


def scaling_metric(template: Template) -> Problems:
    """What a policy tracks is the service's, and its goal can be met."""
    for policy in template.of_type("AWS::ApplicationAutoScaling::ScalingPolicy"):
        goal = policy.get("TargetTrackingScalingPolicyConfiguration", "TargetValue")
        metric = str(
            policy.get(
                "TargetTrackingScalingPolicyConfiguration",
                "PredefinedMetricSpecification",
                "PredefinedMetricType",
            )
        )
        value = number(goal)
        target = template.target(
            policy.get("ScalingTargetId"), "AWS::ApplicationAutoScaling::ScalableTarget"
        )
        if (
            target
            and target.get("ServiceNamespace") == "ecs"
            and metric not in ("", "None", *ECS_SCALING)
        ):
            yield f"{policy.name}: {metric} is no metric of a service; it has {', '.join(ECS_SCALING)}"
        specification = policy.get(
            "TargetTrackingScalingPolicyConfiguration", "PredefinedMetricSpecification", default={}
        )
        if metric == "ALBRequestCountPerTarget" and not specification.get("ResourceLabel"):
            yield f"{policy.name}: ALBRequestCountPerTarget needs a ResourceLabel: which load balancer and target group"
        if "Utilization" in metric and value is not None and not 5 <= value <= 90:
            yield f"{policy.name}: TargetValue {value:g} is a per cent; over 90 it scales too late, under 5 without end"


def somebody_runs(template: Template) -> Problems:
    """A sidecar's task that is never run ships nothing."""
    for service in template.of_type(TYPE):
        if number(service.get("DesiredCount", default=1)) == 0:
            yield f"{service.name}: DesiredCount 0 runs no task"


RULES = (
    circuit_breaker,
    deployments_overlap,
    service_network,
    service_waits_for_mounts,
    service_platform,
    service_fits_its_task,
    load_balanced,
    plain_http,
    tls_policy,
    target_health,
    exec_and_read_only,
    scaling,
    scaling_metric,
    somebody_runs,
)
