"""Buckets for large artifacts."""

from checker.finding import Problems
from checker.policy import Policy, actions, conditions, everybody
from checker.template import Template
from checker.values import listed, number, referred, strings, truth

TYPE = "AWS::S3::Bucket"
BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def bucket_private(template: Template) -> Problems:
    """Security Hub, S3.8."""
    for bucket in template.of_type(TYPE):
        if str(bucket.get("AccessControl")).startswith("Public"):
            yield f"{bucket.name}: remove AccessControl {bucket.get('AccessControl')}"
        blocked = bucket.get("PublicAccessBlockConfiguration", default={})
        for key in BLOCKS:
            if truth(blocked.get(key)) is not True:
                yield f"{bucket.name}: set PublicAccessBlockConfiguration.{key} to true"


def bucket_encrypted(template: Template) -> Problems:
    """At rest by its configuration, in transit by its policy (Security Hub, S3.5)."""
    for bucket in template.of_type(TYPE):
        if not bucket.get("BucketEncryption"):
            yield f"{bucket.name}: set BucketEncryption"
        policies = [
            Policy(each.get("PolicyDocument", default={}), of_resource=True)
            for each in template.of_type("AWS::S3::BucketPolicy")
            if template.target(each.get("Bucket"), TYPE) == bucket
        ]
        denied = any(
            statement.get("Effect") == "Deny"
            and everybody(statement)
            and {"*", "s3:*"} & set(actions(statement))
            and [
                (op, key, [str(v).lower() for v in values])
                for op, key, values in conditions(statement)
            ]
            == [("bool", "aws:securetransport", ["false"])]
            and any("*" in each for each in strings(listed(statement.get("Resource"))))
            for policy in policies
            for statement in policy.statements
        )
        for statement in (s for policy in policies for s in policy.allowing):
            if everybody(statement) and not statement.get("Condition"):
                yield f"{bucket.name}: its BucketPolicy allows everybody {', '.join(actions(statement))}; name the roles"
        if not denied:
            yield f"{bucket.name}: give it a BucketPolicy that denies aws:SecureTransport false"


def bucket_kept(template: Template) -> Problems:
    """Artifacts outlive the stack."""
    for bucket in template.of_type(TYPE):
        if bucket.attributes.get("DeletionPolicy", "Delete") == "Delete":
            yield f"{bucket.name}: set DeletionPolicy to Retain: the artifacts are in it"
        if bucket.get("VersioningConfiguration", "Status") != "Enabled":
            yield f"{bucket.name}: set VersioningConfiguration.Status to Enabled"


def bucket_outlives_its_manifests(template: Template) -> Problems:
    """A manifest in CloudWatch says where its artifact is."""
    used = {
        n for role in template.of_type("AWS::IAM::Role") for n in referred(role.get("Policies"))
    }
    kept = [
        number(group.get("RetentionInDays"))
        for group in template.of_type("AWS::Logs::LogGroup")
        if str(group.get("LogGroupName")).endswith("/artifacts")
    ]
    longest = max((days for days in kept if days is not None), default=0)
    for bucket in template.of_type(TYPE):
        for rule in listed(bucket.get("LifecycleConfiguration", "Rules")):
            days = number(rule.get("ExpirationInDays"))
            if bucket.name in used and days is not None and days < longest:
                yield f"{bucket.name}: artifacts expire after {days:.0f} days and their manifests are kept {longest:.0f}; make ExpirationInDays as long"


RULES = (
    bucket_outlives_its_manifests,
    bucket_private,
    bucket_encrypted,
    bucket_kept,
)
