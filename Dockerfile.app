# The app's image: the base, one virtual environment, one user.
# Plain multi-stage, so that it builds with and without BuildKit.

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/build.txt requirements/app.txt requirements/
# The environment carries no pip of its own: the base's pip fills it, by hashes only.
RUN python -m venv --without-pip /opt/venv \
 && pip install --no-cache-dir --require-hashes -r requirements/build.txt \
 && pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes --no-deps -r requirements/app.txt
COPY pyproject.toml README.md ./
COPY app/ app/
# The package declares the command `sidecar` too; its code is not here.
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl \
 && rm /opt/venv/bin/sidecar

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONSAFEPATH=1
# 10000 is the group that app and sidecar share. An empty named volume takes owner and mode from the
# image that mounts it first, so /mnt/efs is the same here as in the sidecar's image: the app's user
# writes, the group reads, and new directories stay the group's (setgid).
RUN groupadd --gid 10000 volume \
 && useradd --uid 10001 --gid volume --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app \
 && install -d -o app -g volume -m 2770 /mnt/efs
COPY --from=build /opt/venv /opt/venv
# The root file system is read-only at run time and the official base ships no bytecode of the
# standard library: this leaves the bytecode of exactly the modules that the app imports.
RUN PYTHONDONTWRITEBYTECODE= python -c "import app.main, uvicorn, urllib.request"
USER 10001:10000
WORKDIR /
EXPOSE 8000
STOPSIGNAL SIGTERM
# ECS ignores this one and has its own in the task definition; the two are the same.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["python", "-m", "app"]
