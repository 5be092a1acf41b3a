"""The whole thing on one machine: a local CloudWatch, the app, the sidecar and real traffic.

`python -m tests.demo`, or `make demo`. It ends by comparing what the app wrote to the volume with
what CloudWatch holds, line by line.
"""
