"""How a service starts its tasks, and tells a healthy one."""

from typing import Any

from checker.finding import Problems
from checker.template import Template
from checker.values import is_known, listed, number, truth

SERVICE, TASK = "AWS::ECS::Service", "AWS::ECS::TaskDefinition"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
# Seconds: Spot's notice for the whole task, what a drain needs of it, and an absent StopTimeout.
SPOT_NOTICE, LEAST_DRAIN, DEFAULT_STOP = 120, 30, 30
# Seconds in which a broken task is left alone.
LONGEST_GRACE = 1800


def task_by_reference(template: Template) -> Problems:
    """A family's name is its newest revision at the time, and no update of the stack deploys."""
    families = {str(t.get("Family", default=t.name)): t.name for t in template.of_type(TASK)}
    for service in template.of_type(SERVICE):
        named = str(service.get("TaskDefinition"))
        family = named.rpartition("/")[2].partition(":")[0]
        if is_known(named) and family in families:
            yield f"{service.name}: TaskDefinition {named} stays the same when {families[family]} changes; Ref it"


def in_a_cluster(template: Template) -> Problems:
    """The cluster called default is another one, and may not be there."""
    clusters = template.of_type("AWS::ECS::Cluster")
    for service in template.of_type(SERVICE):
        if clusters and service.get("Cluster") is None:
            yield f"{service.name}: names no Cluster, so it goes to the one called default; Ref {clusters[0].name}"


def capacity(template: Template) -> Problems:
    """ECS takes one base, and a strategy that places something."""
    for service in template.of_type(SERVICE):
        strategy = listed(service.get("CapacityProviderStrategy"))
        bases = [each for each in strategy if (number(each.get("Base")) or 0) > 0]
        weights = [number(each.get("Weight", 0)) for each in strategy]
        if len(bases) > 1:
            yield f"{service.name}: {len(bases)} of its CapacityProviderStrategy have a Base; one may"
        if strategy and all(weight == 0 for weight in weights):
            yield f"{service.name}: each Weight of its CapacityProviderStrategy is 0; no task is placed"


def spot_leaves_a_drain(template: Template) -> Problems:
    """Spot gives all containers two minutes together, the app's first."""
    for service in template.of_type(SERVICE):
        names = [
            str(e.get("CapacityProvider")) for e in listed(service.get("CapacityProviderStrategy"))
        ]
        task = template.target(service.get("TaskDefinition"), TASK)
        for container in listed(task.get("ContainerDefinitions")) if task else []:
            stop = number(container.get("StopTimeout", DEFAULT_STOP))
            waits = listed(container.get("DependsOn"))
            if "FARGATE_SPOT" in names and waits and stop and stop > SPOT_NOTICE - LEAST_DRAIN:
                yield (
                    f"{service.name}: {container.get('Name')} may take {stop:.0f} of the {SPOT_NOTICE} s"
                    f" that Spot gives; make its StopTimeout {SPOT_NOTICE - LEAST_DRAIN} at most, or"
                    " nothing is left for the sidecar"
                )


def somebody_asks(template: Template) -> Problems:
    """A task that hangs is replaced by whoever asks: the load balancer, or a health check."""
    for service in template.of_type(SERVICE):
        task = template.target(service.get("TaskDefinition"), TASK)
        for container in listed(task.get("ContainerDefinitions")) if task else []:
            serves = listed(container.get("PortMappings")) and not container.get("HealthCheck")
            if serves and not service.get("LoadBalancers"):
                yield f"{service.name}: nobody asks whether {container.get('Name')} is well; give it a HealthCheck, or a load balancer"


def grace(template: Template) -> Problems:
    """While it lasts, a broken deployment is not seen."""
    for service in template.of_type(SERVICE):
        seconds = number(service.get("HealthCheckGracePeriodSeconds"))
        if seconds is not None and seconds > LONGEST_GRACE:
            yield f"{service.name}: HealthCheckGracePeriodSeconds {seconds:.0f} keeps a broken task for so long; make it 90"


def target_health_pace(template: Template) -> Problems:
    """ELB refuses others."""
    for group in template.of_type(TARGET_GROUP):
        interval = number(group.get("HealthCheckIntervalSeconds", default=30))
        timeout = number(group.get("HealthCheckTimeoutSeconds", default=5))
        if interval is not None and timeout is not None and timeout >= interval:
            yield f"{group.name}: HealthCheckTimeoutSeconds {timeout:.0f} must be under its interval, {interval:.0f}"
        if truth(group.get("HealthCheckEnabled")) is False:
            yield f"{group.name}: HealthCheckEnabled false is for functions only; remove it"


def target_speaks_as_its_container(template: Template) -> Problems:
    """Asked where somebody listens, in the protocol that the container speaks."""
    for service in template.of_type(SERVICE):
        task = template.target(service.get("TaskDefinition"), TASK)
        for balancer in listed(service.get("LoadBalancers")) if task else []:
            group = template.target(balancer.get("TargetGroupArn"), TARGET_GROUP)
            containers = listed(task.get("ContainerDefinitions")) if task else []
            name, port = balancer.get("ContainerName"), number(balancer.get("ContainerPort"))
            mapped = {
                number(m.get("ContainerPort")): (c, m.get("Protocol", "tcp"))
                for c in containers
                for m in listed(c.get("PortMappings"))
            }
            asked = number(group.get("HealthCheckPort")) if group else None
            if group and asked is not None and asked not in mapped:
                yield f"{group.name}: HealthCheckPort {asked:.0f} is mapped by no container of {name}'s task; leave it out"
            if port not in mapped:
                continue  # load_balanced says so
            container, protocol = mapped[port]
            if protocol == "udp":
                yield f"{service.name}: port {port:.0f} of {name} is mapped for udp; make its Protocol tcp"
            if group and group.get("Protocol") == "HTTPS" and _asks_plainly(container):
                yield f"{group.name}: Protocol is HTTPS, and {name} answers its own health check in HTTP; make it HTTP"


def _asks_plainly(container: dict[str, Any]) -> bool:
    command = (container.get("HealthCheck") or {}).get("Command")
    return any("http://" in str(word) for word in listed(command))


RULES = (
    task_by_reference,
    in_a_cluster,
    capacity,
    spot_leaves_a_drain,
    somebody_asks,
    grace,
    target_health_pace,
    target_speaks_as_its_container,
)
