# Two stages: packages are installed in one, and only what runs is in the other.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/run.txt /tmp/run.txt
RUN ["python", "-m", "venv", "/opt/freezegate"]
RUN ["/opt/freezegate/bin/python", "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", "/tmp/run.txt"]
RUN ["/opt/freezegate/bin/python", "-m", "pip", "uninstall", "--yes", "pip"]

FROM python:3.13-slim
COPY --from=build /opt/freezegate /opt/freezegate
COPY app /opt/freezegate/src/app
COPY policies.yaml /etc/freezegate/policies.yaml
COPY LICENSE /usr/share/doc/freezegate/LICENSE

# The root file system may be read-only: nothing is written but the database, to the volume.
ENV PYTHONPATH=/opt/freezegate/src \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FREEZEGATE_HOST=0.0.0.0 \
    FREEZEGATE_POLICIES=/etc/freezegate/policies.yaml \
    FREEZEGATE_DATABASE_URL=sqlite:////data/freezegate.db \
    FREEZEGATE_ANONYMOUS_ROLE=viewer
COPY --chown=10001:10001 deploy/data /data
VOLUME /data
USER 10001:10001
EXPOSE 1400
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
    CMD ["/opt/freezegate/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:1400/healthz', timeout=2)"]
ENTRYPOINT ["/opt/freezegate/bin/python", "-m", "app.cli"]
CMD ["serve"]
