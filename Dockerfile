# The image of the code location, of runs, and of everything else that `etl-dagster` does.
#
#   docker buildx build --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) \
#       --output type=image,name=REGISTRY/etl-dagster:TAG,rewrite-timestamp=true,push=true .
#
# Two builds of one commit are the same, byte for byte, if DIGEST names the base: look it up where
# you pull from, and pass --build-arg DIGEST=@sha256:... . Without it the base is fixed by version.
ARG PYTHON=3.11.14
ARG DEBIAN=bookworm
ARG DIGEST=

FROM python:${PYTHON}-slim-${DEBIAN}${DIGEST} AS build
ARG SOURCE_DATE_EPOCH=0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/etl_dagster
RUN python -m venv --without-pip /opt/venv
# Wheels only: nothing is compiled, so nothing that compiles is needed.
COPY deploy/requirements.txt deploy/requirements.txt
RUN pip --python /opt/venv/bin/python install --only-binary :all: --require-hashes \
        --requirement deploy/requirements.txt
COPY LICENSE README.md pyproject.toml dagster.yaml workspace.yaml ./
COPY campaigns campaigns
COPY etl_dagster etl_dagster
RUN pip --python /opt/venv/bin/python install --no-deps --no-build-isolation --no-index \
        --editable . \
    && pip --python /opt/venv/bin/python uninstall --yes editables hatchling
# A read-only file system keeps no byte code, and without it every start takes seconds more. It is
# checked by nothing, so that it has no times in it. Some packages have files for other Pythons.
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/etl_dagster/etl_dagster \
    && { python -m compileall -qq --invalidation-mode unchecked-hash /opt/venv || true; }

FROM python:${PYTHON}-slim-${DEBIAN}${DIGEST}
# Number and name, so that Kubernetes can see that it is not root and programs find their user.
RUN echo 'etl:x:10001:' >> /etc/group \
    && echo 'etl:x:10001:10001::/var/lib/etl:/usr/sbin/nologin' >> /etc/passwd \
    && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/etl
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/etl_dagster /opt/etl_dagster
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/var/lib/etl \
    ETL_HOME=/var/lib/etl \
    DAGSTER_DISABLE_TELEMETRY=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/etl
EXPOSE 3030
# Of the code location below; other commands need --no-healthcheck. Kubernetes has its own probes.
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s \
    CMD ["dagster", "api", "grpc-health-check", "--port", "3030"]
CMD ["dagster", "api", "grpc", "--module-name", "etl_dagster.definitions", \
     "--location-name", "etl_dagster", "--host", "0.0.0.0", "--port", "3030"]
