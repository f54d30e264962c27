# Two stages: packages are installed, built and compiled in one; the other holds only what runs.
#
# The base of both. To pin it, give a digest: --build-arg BASE=python:3.13-slim@sha256:…
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/build.txt /tmp/build.txt
COPY requirements/otel.txt /tmp/otel.txt
RUN ["python", "-m", "venv", "/opt/build"]
RUN ["/opt/build/bin/python", "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", "/tmp/build.txt"]
RUN ["python", "-m", "venv", "/opt/freezegate"]
RUN ["/opt/freezegate/bin/python", "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", "/tmp/otel.txt"]
COPY pyproject.toml hatch_build.py README.md LICENSE /src/
COPY app /src/app
WORKDIR /src
RUN ["/opt/build/bin/python", "-m", "hatchling", "build", "-t", "wheel", "-d", "/tmp/wheel"]
RUN ["sh", "-c", "exec /opt/freezegate/bin/python -m pip install --no-deps --no-index --no-compile /tmp/wheel/*.whl"]
RUN ["/opt/freezegate/bin/python", "-m", "pip", "uninstall", "--yes", "pip"]
# Unchecked: the code never changes, and whatever copies the image need not keep the times of files.
RUN ["/opt/freezegate/bin/python", "-c", "import compileall, py_compile, sysconfig; compileall.compile_dir(sysconfig.get_path('purelib') + '/freezegate', quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)"]
RUN ["/opt/freezegate/bin/python", "-I", "-c", "from freezegate.web.pages import prepare_pages; prepare_pages('')"]
# The same command as the entrypoint, so that `docker exec GATE freezegate keys create …` works.
RUN ["/opt/freezegate/bin/python", "-c", "import pathlib; command = pathlib.Path('/opt/freezegate/bin/freezegate'); command.write_text('#!/bin/sh\\nexec /opt/freezegate/bin/python -I -B -u -m freezegate \"$@\"\\n'); command.chmod(0o755)"]

FROM ${BASE}
ARG BASE
LABEL org.opencontainers.image.title="freezegate" \
      org.opencontainers.image.description="A self-hosted deploy-freeze gate" \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="${BASE}"
COPY --from=build /opt/freezegate /opt/freezegate
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
ENTRYPOINT ["/opt/freezegate/bin/python", "-I", "-B", "-u", "-m", "freezegate"]
CMD ["serve"]
