# The service of an exported champion, without TensorFlow, Kedro or pandas. In the project's folder:
#
#   docker build -f deploy/service.Dockerfile -t graft-service .
#   docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 \
#     -v "$PWD/data/06_models/own_pictures:/models:ro" graft-service
#
# What is mounted is the folder around the export, for an export is replaced as a whole.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/graft \
    && /opt/graft/bin/pip install --no-cache-dir -c constraints.txt ".[serve]" \
    && /opt/graft/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim-bookworm
COPY --from=build /opt/graft /opt/graft
ENV PATH=/opt/graft/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GRAFT_FOLDER=/models/exported
# A number, so that Kubernetes too can tell that it is not root.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import os, http.client as h; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('GRAFT_PORT', 8000)), 2); c.request('GET', '/v2/health/ready'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["graft", "serve", "--host=0.0.0.0"]
