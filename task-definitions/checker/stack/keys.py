"""Keys: kept as long as what they encrypt, and open to the services that must use them."""

from checker.finding import Problems
from checker.template import Template
from checker.values import referred, strings, truth

KEY = "AWS::KMS::Key"
KEPT = ("Retain", "RetainExceptOnCreate")


def key_kept(template: Template) -> Problems:
    """Files whose key is gone are gone."""
    for each in template.resources.values():
        if each.attributes.get("DeletionPolicy") not in KEPT or each.type == KEY:
            continue
        for name in sorted(referred(each.properties)):
            key = template.resources.get(name)
            if key and key.type == KEY and key.attributes.get("DeletionPolicy") not in KEPT:
                yield f"{key.name}: {each.name} outlives the stack and is encrypted with it; set DeletionPolicy to Retain"


def key_rotates(template: Template) -> Problems:
    """Security Hub, KMS.4."""
    for key in template.of_type(KEY):
        symmetric = key.get("KeySpec", default="SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
        if symmetric and truth(key.get("EnableKeyRotation")) is not True:
            yield f"{key.name}: set EnableKeyRotation to true"


def key_of_a_log_group(template: Template) -> Problems:
    """CloudWatch Logs uses it itself, and takes its ARN."""
    for group in template.of_type("AWS::Logs::LogGroup"):
        given = group.get("KmsKeyId")
        key = template.target(given, KEY)
        if key is None:
            continue
        if given == f"${{{key.name}}}":
            yield f"{group.name}: KmsKeyId takes the ARN of {key.name} (GetAtt Arn), not its id (Ref)"
        if not _lets_in(list(strings(key.get("KeyPolicy", default={}))), "logs."):
            yield f"{key.name}: its KeyPolicy must allow logs.REGION.amazonaws.com, or {group.name} cannot be made"


def key_of_a_topic(template: Template) -> Problems:
    """An alarm that may not use its topic's key tells nobody."""
    heard = [
        each.get(way)
        for each in template.of_type("AWS::CloudWatch::Alarm")
        for way in ("AlarmActions", "OKActions")
    ]
    for topic in template.of_type("AWS::SNS::Topic"):
        given = topic.get("KmsMasterKeyId")
        key = template.target(given, KEY)
        if topic.name not in referred(heard):
            continue
        if str(given).endswith("alias/aws/sns"):
            yield f"{topic.name}: an alarm cannot use the key {given}; name a key that allows cloudwatch.amazonaws.com, or none"
        elif key and not _lets_in(list(strings(key.get("KeyPolicy", default={}))), "cloudwatch."):
            yield f"{key.name}: its KeyPolicy must allow cloudwatch.amazonaws.com, or no alarm reaches {topic.name}"


def _lets_in(texts: list[str], service: str) -> bool:
    """Does the policy name the service, `logs.…amazonaws.com`?"""
    return any(text.startswith(service) for text in texts)


RULES = (key_kept, key_rotates, key_of_a_log_group, key_of_a_topic)
