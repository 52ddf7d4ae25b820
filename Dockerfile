# The base is an argument so that a mirror, or an image made on the spot, can stand in; it needs only python3.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
# Behind a proxy that inspects TLS the base image carries that proxy's certificate in this bundle.
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
# A mirror of PyPI, if any. The packages' hashes are checked wherever they come from.
ARG PIP_INDEX_URL
RUN python3 -m venv /opt/venv
COPY service/requirements.txt /tmp/requirements.txt
# pip is only of use here; what runs does not need it. Compiled files with hashes instead of dates are the same in each
# build.
RUN /opt/venv/bin/pip install --require-hashes --only-binary=:all: --no-compile -r /tmp/requirements.txt \
    && /opt/venv/bin/pip uninstall --yes setuptools pip \
    && python3 -m compileall -qf --invalidation-mode unchecked-hash /opt/venv/lib

FROM ${BASE_IMAGE}
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY service ./service
# Readable whatever the umask of the clone; a fresh volume on the data folder takes its owner from here.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash service && chmod -R a+rX service \
    && install -d -o 10001 -g 10001 -m 0700 data
USER 10001:10001
VOLUME /app/data
# Kong sends requests until it has noticed that a target was removed, and looks for that every 5 s.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    STOP_DELAY_SECONDS=8
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python3", "-I", "-S", "service/health.py"]
CMD ["python3", "-m", "service"]
