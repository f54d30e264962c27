# Two stages: packages are installed and compiled in one, and only what runs is in the other.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/otel.txt /tmp/otel.txt
RUN ["python", "-m", "venv", "/opt/freezegate"]
RUN ["/opt/freezegate/bin/python", "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", "/tmp/otel.txt"]
RUN ["/opt/freezegate/bin/python", "-m", "pip", "uninstall", "--yes", "pip"]
RUN ["/opt/freezegate/bin/python", "-c", "import pathlib, sysconfig; pathlib.Path(sysconfig.get_path('purelib'), 'freezegate.pth').write_text('/opt/src')"]
# So that `docker exec GATE freezegate keys create …` works: the same command as the entrypoint.
RUN ["/opt/freezegate/bin/python", "-c", "import pathlib; command = pathlib.Path('/opt/freezegate/bin/freezegate'); command.write_text('#!/bin/sh\\nexec /opt/freezegate/bin/python -I -B -u -m app.cli \"$@\"\\n'); command.chmod(0o755)"]
COPY app /opt/src/app
# Unchecked: the sources never change, and whatever copies the image need not keep their times.
RUN ["/opt/freezegate/bin/python", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "/opt/src"]

FROM python:3.13-slim
COPY --from=build /opt/freezegate /opt/freezegate
COPY --from=build /opt/src /opt/src
COPY --from=build /opt/freezegate/bin/freezegate /usr/local/bin/freezegate
COPY policies.yaml /etc/freezegate/policies.yaml
COPY LICENSE /usr/share/doc/freezegate/LICENSE

# The root file system may be read-only: nothing is written but the database, to the volume. FREEZEGATE_DATA says
# where, not FREEZEGATE_DATABASE_URL: set here, that could not be given as a file, for it would be given twice.
ENV FREEZEGATE_HOST=0.0.0.0 \
    FREEZEGATE_POLICIES=/etc/freezegate/policies.yaml \
    FREEZEGATE_DATA=/data \
    FREEZEGATE_ANONYMOUS_ROLE=viewer
COPY --chown=10001:10001 deploy/data /data
VOLUME /data
USER 10001:10001
EXPOSE 1400
# Isolated (-I): the working directory may be a repository that is mounted there, and its code is not ours.
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
    CMD ["/opt/freezegate/bin/python", "-I", "-c", "import http.client, os, sys; gate = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('FREEZEGATE_PORT', '1400')), timeout=2); gate.request('GET', '/healthz'); sys.exit(gate.getresponse().status != 200)"]
ENTRYPOINT ["/opt/freezegate/bin/python", "-I", "-B", "-u", "-m", "app.cli"]
CMD ["serve"]
