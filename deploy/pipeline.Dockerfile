# The pipeline, as `kedro package` packs it, with its configuration. In the project's folder:
#
#   kedro package
#   docker build -f deploy/pipeline.Dockerfile -t graft-pipeline .
#   docker run --user "$(id -u):$(id -g)" -v "$PWD/data:/srv/graft/data" \
#     -v "$PWD/flowers:/srv/pictures:ro" graft-pipeline \
#     --env=own_pictures --params=source=/srv/pictures

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY dist/graft-*.whl dist/conf-graft.tar.gz constraints.txt ./
RUN python -m venv /opt/graft \
    && for wheel in graft-*.whl; do \
        /opt/graft/bin/pip install --no-cache-dir -c constraints.txt "./${wheel}[train,export]"; \
    done \
    && mv conf-graft.tar.gz /opt/graft/ \
    && /opt/graft/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim-bookworm
COPY --from=build /opt/graft /opt/graft
# Weights that Keras downloads are kept beside what is made; the rest of a home is for one run.
ENV PATH=/opt/graft/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    KERAS_HOME=/srv/graft/data/.keras
WORKDIR /srv/graft
USER 10001:10001
ENTRYPOINT ["graft", "--conf-source=/opt/graft/conf-graft.tar.gz"]
