"""Log groups, metric filters, alarms: would somebody hear of it?"""

from typing import Any

from checker.finding import Problems
from checker.template import Resource, Template
from checker.values import is_known, listed, number, strings

# PutRetentionPolicy, API reference.
RETENTION = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
MISSING = ("breaching", "notBreaching", "ignore", "missing")
PROGRESS = "sidecar_progress"
# The keys of the sidecar's progress line; a test holds the two together.
PROGRESS_KEYS = (
    "backlog_bytes",
    "backlog_files",
    "backlog_oldest_seconds",
    "bytes_acknowledged",
    "bytes_gone",
    "degraded",
    "events_delivered",
    "events_filtered",
    "events_rejected",
    "possible_duplicates",
    "retries",
)
# Without an alarm on these a backlog or a loss is found by chance.
ALARMED = ("backlog_oldest_seconds", "events_rejected")
# https://docs.aws.amazon.com/efs/latest/ug/efs-metrics.html
EFS_METRICS = {
    *("BurstCreditBalance", "ClientConnections", "DataReadIOBytes", "DataWriteIOBytes"),
    *("MetadataIOBytes", "MetadataReadIOBytes", "MetadataWriteIOBytes", "MeteredIOBytes"),
    *("PercentIOLimit", "PermittedThroughput", "StorageBytes", "TotalIOBytes", "TimeSinceLastSync"),
}
# The two services' own pages of metrics; Lambda's of event sources and Container Insights' left out.
KNOWN_METRICS = {
    "AWS/Lambda": (
        *(
            "Invocations",
            "Errors",
            "Throttles",
            "Duration",
            "ConcurrentExecutions",
            "AsyncEventAge",
        ),
        *("AsyncEventsReceived", "AsyncEventsDropped", "DeadLetterErrors", "IteratorAge"),
        *("DestinationDeliveryFailures", "PostRuntimeExtensionsDuration", "OffsetLag"),
        *(
            "UnreservedConcurrentExecutions",
            "ClaimedAccountConcurrency",
            "RecursiveInvocationsDropped",
        ),
        *("ProvisionedConcurrencyInvocations", "ProvisionedConcurrencySpilloverInvocations"),
        *("ProvisionedConcurrencyUtilization", "ProvisionedConcurrentExecutions"),
    ),
    "AWS/ECS": (
        *("CPUUtilization", "MemoryUtilization", "CPUReservation", "MemoryReservation"),
        *(
            "EBSFilesystemUtilization",
            "GPUReservation",
            "ActiveConnectionCount",
            "NewConnectionCount",
        ),
        *("ProcessedBytes", "RequestCount", "RequestCountPerTarget", "TargetResponseTime"),
        *("GrpcRequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_3XX_Count"),
        *(
            "HTTPCode_Target_4XX_Count",
            "HTTPCode_Target_5XX_Count",
            "ClientTLSNegotiationErrorCount",
        ),
        *("TargetTLSNegotiationErrorCount",),
    ),
}
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


def retention(template: Template) -> Problems:
    """A group without one is kept, and billed, for ever."""
    for group in template.of_type("AWS::Logs::LogGroup"):
        days = group.get("RetentionInDays")
        if days is None:
            yield f"{group.name}: set RetentionInDays; without it the lines are kept, and billed, for ever"
        elif is_known(days) and number(days) not in RETENTION:
            yield f"{group.name}: RetentionInDays {days} is none of {', '.join(map(str, RETENTION))}"


def container_log_groups(template: Template) -> Problems:
    """awslogs makes no group: the container does not start without it."""
    groups = template.of_type("AWS::Logs::LogGroup")
    names = {str(group.get("LogGroupName")) for group in groups}
    for task in template.of_type("AWS::ECS::TaskDefinition"):
        for container in listed(task.get("ContainerDefinitions")):
            options = (container.get("LogConfiguration") or {}).get("Options") or {}
            name = str(options.get("awslogs-group", ""))
            made = template.target(name, "AWS::Logs::LogGroup")
            makes_it = str(options.get("awslogs-create-group")).lower() == "true" or not groups
            if name.startswith("/") and not made and name not in names and not makes_it:
                yield f"{task.name}: log group {name} is not in the template; make it there, or the container does not start"


def metric_transformations(template: Template) -> list[tuple[Resource, dict[str, Any]]]:
    """(filter, what it makes) of every metric filter."""
    return [
        (each, change)
        for each in template.of_type("AWS::Logs::MetricFilter")
        for change in listed(each.get("MetricTransformations"))
    ]


def made_metrics(template: Template) -> set[tuple[str, str]]:
    """(namespace, name) of every metric that a filter makes."""
    return {
        (str(change.get("MetricNamespace")), str(change.get("MetricName")))
        for _, change in metric_transformations(template)
    }


def metric_filters(template: Template) -> Problems:
    """A filter on what is never printed makes a metric that never comes."""
    printing = {
        name
        for task in template.of_type("AWS::ECS::TaskDefinition")
        for c in listed(task.get("ContainerDefinitions"))
        for name in [
            str(((c.get("LogConfiguration") or {}).get("Options") or {}).get("awslogs-group"))
        ]
    }
    for each, change in metric_transformations(template):
        pattern, value = str(each.get("FilterPattern", default="")), str(change.get("MetricValue"))
        if PROGRESS not in pattern and "sidecar" not in pattern:
            continue
        if PROGRESS not in pattern:
            yield f"{each.name}: the sidecar's periodic line is the event {PROGRESS}; name it in FilterPattern"
        if value.startswith("$.") and not pattern.lstrip().startswith("{"):
            yield f'{each.name}: {value} is to be had by a JSON pattern only, {{ $.event = "{PROGRESS}" }}'
        if value.startswith("$.") and value[2:] not in PROGRESS_KEYS:
            yield f"{each.name}: {PROGRESS} has no {value[2:]}; its keys are {', '.join(PROGRESS_KEYS)}"
        if printing and str(each.get("LogGroupName")) not in printing:
            yield f"{each.name}: no container prints into {each.get('LogGroupName')}; name the sidecar's awslogs-group"


def _metrics(alarm: Resource) -> list[tuple[str, str, str]]:
    """(namespace, name, statistic) of every metric the alarm reads."""
    found = []
    if alarm.get("MetricName"):
        statistic = alarm.get("Statistic") or alarm.get("ExtendedStatistic")
        found.append((str(alarm.get("Namespace")), str(alarm.get("MetricName")), str(statistic)))
    for query in listed(alarm.get("Metrics")):
        stat = query.get("MetricStat") or {}
        metric = stat.get("Metric") or {}
        if metric:
            found.append(
                (str(metric.get("Namespace")), str(metric.get("MetricName")), str(stat.get("Stat")))
            )
    return found


def alarms(template: Template) -> Problems:
    """Each reads a metric that exists, says what silence means, and tells somebody."""
    made = made_metrics(template)
    for alarm in template.of_type("AWS::CloudWatch::Alarm"):
        missing = alarm.get("TreatMissingData")
        if missing is None:
            yield f"{alarm.name}: set TreatMissingData: what does silence mean to it? ({', '.join(MISSING)})"
        elif is_known(missing) and missing not in MISSING:
            yield f"{alarm.name}: TreatMissingData {missing!r} is none of {', '.join(MISSING)}"
        read = _metrics(alarm)
        if not read:
            yield f"{alarm.name}: reads no metric; name MetricName and Namespace, or Metrics"
        for namespace, name, _ in read:
            if namespace == "AWS/EFS" and name not in EFS_METRICS:
                yield f"{alarm.name}: AWS/EFS has no metric {name}; it has {', '.join(sorted(EFS_METRICS))}"
            elif name not in KNOWN_METRICS.get(namespace, (name,)):
                yield f"{alarm.name}: {namespace} has no metric {name}; it has {', '.join(KNOWN_METRICS[namespace])}"
            elif not namespace.startswith("AWS/") and (namespace, name) not in made:
                yield f"{alarm.name}: nothing makes {namespace} {name}: correct it, or add the MetricFilter"
        if "AlarmActions" not in (
            template.document["Resources"][alarm.name].get("Properties") or {}
        ):
            yield f"{alarm.name}: has no AlarmActions: nobody hears of it"
        if str(alarm.get("ActionsEnabled")).lower() == "false":
            yield f"{alarm.name}: ActionsEnabled false: nobody hears of it"
        yield from _evaluation(alarm)


def _evaluation(alarm: Resource) -> Problems:
    for key in ("EvaluationPeriods", "ComparisonOperator"):
        if alarm.get(key) is None:
            yield f"{alarm.name}: {key} is missing"
    periods, needed = number(alarm.get("EvaluationPeriods")), number(alarm.get("DatapointsToAlarm"))
    if periods is not None and needed is not None and needed > periods:
        yield f"{alarm.name}: DatapointsToAlarm is over EvaluationPeriods"
    if alarm.get("Threshold") is None and alarm.get("ThresholdMetricId") is None:
        yield f"{alarm.name}: Threshold is missing"
    below = str(alarm.get("ComparisonOperator")).startswith("LessThan")
    for _, name, statistic in _metrics(alarm):
        if name.lower().startswith("backlogage") and statistic in (
            "Average",
            "Minimum",
            "SampleCount",
            "Sum",
        ):
            yield f"{alarm.name}: the age of the backlog is a Maximum, not a {statistic}"
        if name.lower().startswith(("backlogage", "rejected")) and below:
            yield f"{alarm.name}: alarms when {name} is low; turn ComparisonOperator round"
        if name.lower().startswith("rejected") and statistic != "Sum":
            yield f"{alarm.name}: {name} counts since the last line: its statistic is Sum"
    age = [name for _, name, _ in _metrics(alarm) if name.lower().startswith("backlogage")]
    if age and (number(alarm.get("Threshold")) or 0) > 14 * 86400:
        yield f"{alarm.name}: after 14 days CloudWatch refuses the lines; alarm sooner"


def alarms_there(template: Template) -> Problems:
    """The least a fleet of sidecars needs."""
    sidecars = any(
        value.startswith("SIDECAR_")
        for task in template.of_type("AWS::ECS::TaskDefinition")
        for value in strings(task.get("ContainerDefinitions", default=[]))
    )
    if not sidecars:
        return
    read = {
        (n, m)
        for alarm in template.of_type("AWS::CloudWatch::Alarm")
        for n, m, _ in _metrics(alarm)
    }
    for key in ALARMED:
        metrics = {
            (str(change.get("MetricNamespace")), str(change.get("MetricName")))
            for _, change in metric_transformations(template)
            if change.get("MetricValue") == f"$.{key}"
        }
        if not metrics:
            yield f"no MetricFilter reads $.{key} of the sidecar's {PROGRESS} lines; add it and an alarm"
        for namespace, name in sorted(metrics - read):
            yield f"no alarm reads {namespace} {name}; add one"


def silence(template: Template) -> Problems:
    """A sidecar that has died says nothing: somebody must take silence for an alarm."""
    made = made_metrics(template)
    watching = [
        alarm
        for alarm in template.of_type("AWS::CloudWatch::Alarm")
        if alarm.get("TreatMissingData") == "breaching"
    ]
    heard = {space for alarm in watching for space, _, _ in _metrics(alarm)}
    aged = {
        str(change.get("MetricNamespace"))
        for _, change in metric_transformations(template)
        if change.get("MetricValue") == f"$.{ALARMED[0]}"
    }
    for space in sorted(aged - heard):
        names = sorted(name for each, name in made if each == space)
        yield f"no alarm on {space} ({', '.join(names)}) has TreatMissingData breaching: nobody hears of a sidecar that is silent"


def log_group_class(template: Template) -> Problems:
    """Metric filters are for STANDARD, and nothing may be put into DELIVERY."""
    for each in template.of_type("AWS::Logs::MetricFilter"):
        group = template.target(each.get("LogGroupName"), "AWS::Logs::LogGroup")
        kind = group.get("LogGroupClass", default="STANDARD") if group else "STANDARD"
        if group and is_known(kind) and kind != "STANDARD":
            yield f"{each.name}: {group.name} is of the class {kind}, which has no metric filters; make it STANDARD"
    for group in template.of_type("AWS::Logs::LogGroup"):
        if group.get("LogGroupClass") == "DELIVERY":
            yield f"{group.name}: LogGroupClass DELIVERY takes no log events; make it STANDARD"


RULES = (
    retention,
    container_log_groups,
    metric_filters,
    alarms,
    alarms_there,
    silence,
    log_group_class,
)
