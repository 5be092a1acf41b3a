"""Buckets for large artifacts."""

from checker.finding import Problems
from checker.policy import Policy, conditions
from checker.template import Template
from checker.values import truth

TYPE = "AWS::S3::Bucket"
BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def bucket_private(template: Template) -> Problems:
    """Security Hub, S3.8."""
    for bucket in template.of_type(TYPE):
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
            and ("bool", "aws:securetransport") in [c[:2] for c in conditions(statement)]
            for policy in policies
            for statement in policy.statements
        )
        if not denied:
            yield f"{bucket.name}: give it a BucketPolicy that denies aws:SecureTransport false"


def bucket_kept(template: Template) -> Problems:
    """Artifacts outlive the stack."""
    for bucket in template.of_type(TYPE):
        if bucket.attributes.get("DeletionPolicy", "Delete") == "Delete":
            yield f"{bucket.name}: set DeletionPolicy to Retain: the artifacts are in it"
        if bucket.get("VersioningConfiguration", "Status") != "Enabled":
            yield f"{bucket.name}: set VersioningConfiguration.Status to Enabled"


RULES = (bucket_private, bucket_encrypted, bucket_kept)
