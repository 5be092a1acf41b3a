"""A small S3 of your own, for tests: over HTTP, path style, and strict about what it is sent.

It checks every SHA-256 it is given, the parts' sizes and the composite checksum at completion, and
honours `If-None-Match: *`. `StrictS3.fail` makes the next requests of an operation go wrong.
"""

from tests.support.s3.double import StrictS3

__all__ = ["StrictS3"]
