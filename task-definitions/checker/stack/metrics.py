"""Alarms by their metrics: dimensions, periods, gaps; and whom an alarm tells."""

from collections.abc import Iterator
from typing import Any

from checker.finding import Problems
from checker.stack.observed import PROGRESS, metric_transformations
from checker.template import Resource, Template
from checker.values import is_known, listed, number

# (namespace, the dimension without which no metric of it exists, what it is of).
NEEDED = (
    ("AWS/EFS", "FileSystemId", "AWS::EFS::FileSystem"),
    ("AWS/Lambda", "FunctionName", "AWS::Lambda::Function"),
    ("AWS/ECS", "ClusterName", "AWS::ECS::Cluster"),
    ("AWS/ApplicationELB", "LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer"),
)
# What a dimension's value is where Ref gives something else, an ARN.
FORMS = {
    "LoadBalancer": "LoadBalancerFullName",
    "ServiceName": "Name",
    "TargetGroup": "TargetGroupFullName",
}
# PutMetricAlarm, API reference: seconds that all periods may take, by the length of one.
DAY, WEEK, HOUR = 86_400, 604_800, 3_600
ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
HEARING = (
    *("AWS::SNS::Topic", "AWS::ApplicationAutoScaling::ScalingPolicy"),
    *("AWS::AutoScaling::ScalingPolicy", "AWS::Lambda::Function", "AWS::Lambda::Alias"),
    *("AWS::Lambda::Version", "AWS::SSMIncidents::ResponsePlan"),
)


def read_by(alarm: Resource) -> Iterator[dict[str, Any]]:
    """Each metric that the alarm reads: MetricName, Namespace, Dimensions, Period."""
    if alarm.get("MetricName"):
        yield alarm.properties
    for query in listed(alarm.get("Metrics")):
        stat = query.get("MetricStat") or {}
        if stat.get("Metric"):
            yield {**stat["Metric"], "Period": stat.get("Period")}


def metric_dimensions(template: Template) -> Problems:
    """Most AWS metrics exist by resource only."""
    for alarm in template.of_type("AWS::CloudWatch::Alarm"):
        for metric in read_by(alarm):
            given = {
                str(d.get("Name")): str(d.get("Value")) for d in listed(metric.get("Dimensions"))
            }
            for namespace, dimension, kind in NEEDED:
                if metric.get("Namespace") != namespace:
                    continue
                if dimension not in given:
                    yield f"{alarm.name}: {namespace} {metric.get('MetricName')} is known by {dimension} only; add the dimension"
                else:
                    yield from _of_the_template(template, alarm, dimension, given[dimension], kind)
            for dimension, value in given.items():
                yield from _of_the_right_form(template, alarm, dimension, value)


def _of_the_template(
    template: Template, alarm: Resource, dimension: str, value: str, kind: str
) -> Problems:
    made = template.of_type(kind)
    if made and is_known(value) and value not in {str(r.get(dimension)) for r in made}:
        yield f"{alarm.name}: {dimension} {value} is none of the template's ({', '.join(r.name for r in made)}); Ref one"
    elif value.endswith(".Arn}"):
        yield f"{alarm.name}: {dimension} takes an id or name (Ref), not the ARN {value}"


def _of_the_right_form(template: Template, alarm: Resource, dimension: str, value: str) -> Problems:
    attribute = FORMS.get(dimension)
    made = template.target(value)
    if attribute and made and value in (f"${{{made.name}}}", f"${{{made.name}.Arn}}"):
        yield f"{alarm.name}: {dimension} takes {made.name}'s {attribute} (GetAtt {attribute}), not its ARN"


def filter_dimensions(template: Template) -> Problems:
    """A metric with other dimensions is another metric."""
    made: dict[tuple[str, str], set[frozenset[str]]] = {}
    for _, change in metric_transformations(template):
        name = (str(change.get("MetricNamespace")), str(change.get("MetricName")))
        keys = frozenset(str(d.get("Key")) for d in listed(change.get("Dimensions")))
        made.setdefault(name, set()).add(keys)
    for alarm in template.of_type("AWS::CloudWatch::Alarm"):
        for metric in read_by(alarm):
            name = (str(metric.get("Namespace")), str(metric.get("MetricName")))
            asked = frozenset(str(d.get("Name")) for d in listed(metric.get("Dimensions")))
            if name in made and asked not in made[name]:
                there = " or ".join(", ".join(sorted(keys)) or "none" for keys in made[name])
                yield f"{alarm.name}: {name[1]} is made with the dimensions {there}, and read with {', '.join(sorted(asked)) or 'none'}; make them one"


def evaluation_range(template: Template) -> Problems:
    """CloudWatch refuses an alarm that looks back further."""
    for alarm in template.of_type("AWS::CloudWatch::Alarm"):
        periods = number(alarm.get("EvaluationPeriods"))
        lengths = [n for m in read_by(alarm) if (n := number(m.get("Period"))) is not None]
        longest = max(lengths, default=0)
        most = WEEK if longest >= HOUR else DAY
        if periods is not None and periods * longest > most:
            yield f"{alarm.name}: EvaluationPeriods times Period is {periods * longest:.0f} s, and at most {most}; lower one"


def alarm_tells(template: Template) -> Problems:
    """An action is the ARN of what can act."""
    for alarm in template.of_type("AWS::CloudWatch::Alarm"):
        for key in ACTIONS:
            for action in map(str, listed(alarm.get(key))):
                made = template.target(action)
                if made and made.type not in HEARING:
                    yield f"{alarm.name}: {key} names {made.name}, which is no topic; name an SNS topic"
                elif made and made.type == HEARING[0] and action.endswith(".TopicName}"):
                    yield f"{alarm.name}: {key} takes {made.name}'s ARN (Ref), not its name"
                elif is_known(action) and not action.startswith("arn:"):
                    yield f"{alarm.name}: {key} {action} is no ARN; name an SNS topic's"


def burst_credits(template: Template) -> Problems:
    """Only a bursting file system has any."""
    modes = {
        str(s.get("ThroughputMode", default="bursting"))
        for s in template.of_type("AWS::EFS::FileSystem")
    }
    for alarm in template.of_type("AWS::CloudWatch::Alarm"):
        for metric in read_by(alarm):
            if (
                metric.get("MetricName") == "BurstCreditBalance"
                and modes
                and "bursting" not in modes
            ):
                yield f"{alarm.name}: reads BurstCreditBalance, which a file system of the mode {', '.join(modes)} does not have; take PermittedThroughput"


def gaps_stay_gaps(template: Template) -> Problems:
    """A default stands for every other line: what a silent sidecar does not say is then zero."""
    for each, change in metric_transformations(template):
        progress = PROGRESS in str(each.get("FilterPattern"))
        if progress and change.get("DefaultValue") is not None:
            yield (
                f"{each.name}: DefaultValue {change['DefaultValue']} is what a silent sidecar would"
                " seem to say; leave it out"
            )


RULES = (
    metric_dimensions,
    filter_dimensions,
    evaluation_range,
    alarm_tells,
    burst_credits,
    gaps_stay_gaps,
)
