# Images of the operator and of the workers: docs/install.md.
#
#   docker build --target operator -t reconstruction-operator:0.1.0 .
#   docker build --target worker   -t reconstruction-worker:0.1.0 .
#
# BASE_IMAGE is any Debian or Ubuntu with Python 3.11 to 3.13. All stages use the same base, since a virtual environment belongs to
# its Python. `make base-images` writes today's digest of the tag.
ARG BASE_IMAGE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

# --- The wheel of this project, by the pinned build backend ----------------------------------------------------------------
FROM ${BASE_IMAGE} AS tools
# A release, which has a REVISION, names its base by digest: a tag can be moved between the check and the build.
ARG BASE_IMAGE
ARG REVISION=unknown
RUN case "$REVISION $BASE_IMAGE" in \
    "unknown "* | *@sha256:*) ;; \
    *) echo "BASE_IMAGE of a release needs a digest: $BASE_IMAGE@sha256:..." >&2; exit 1 ;; \
    esac
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
RUN python3 -m venv /tools
COPY requirements/build.txt requirements/build.txt
RUN /tools/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/build.txt

FROM tools AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /tools/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir /wheels .

# --- The base of all images -------------------------------------------------------------------------------------------------
# With PYTHONSAFEPATH nothing is imported from the working directory. The root may be read-only: only /tmp and /jobs are written.
FROM ${BASE_IMAGE} AS runtime
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    TMPDIR=/tmp \
    LANG=C.UTF-8 \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG BASE_IMAGE
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /tmp
USER 65532:65532

# --- One virtual environment for each image, without pip: the operator ----------------------------------------------------
# Bytecode is compiled here and never checked against dates: the root is read-only at run time, and dates in copied layers are
# unreliable. The classes of the Kubernetes client get none, since only its loader of credentials is called (30 MB).
FROM tools AS operator-packages
COPY requirements/operator.txt requirements/operator.txt
RUN python3 -m venv --without-pip /venv \
    && /tools/bin/python -m pip --python /venv/bin/python install --quiet --no-compile --require-hashes --only-binary :all: -r requirements/operator.txt \
    && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        -x 'site-packages/kubernetes/client/(models|api)/' /venv/lib
COPY --from=wheel /wheels /wheels
RUN /tools/bin/python -m pip --python /venv/bin/python install --quiet --no-compile --no-deps --no-index /wheels/*.whl \
    && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /venv/lib/python3*/site-packages/reconstruction_operator

FROM runtime AS operator
LABEL org.opencontainers.image.title="reconstruction-operator" \
      org.opencontainers.image.description="Kubernetes operator for 3D reconstruction: ReconstructionJob manifests, Celery workers"
COPY --from=operator-packages /venv /venv
EXPOSE 8080 8081
# For runtimes that use it; in Kubernetes, the chart defines probes. A standby replica is healthy too.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('PROBE_PORT') or 8081}/healthz\", timeout=4)"]
ENTRYPOINT ["reconstruction-operator"]
CMD ["run"]

# --- The gallery: the page and its scripts are in the wheel, so that no stage needs Node.js ------------------------------------
FROM tools AS gallery-wheel
COPY gallery gallery
COPY plugin plugin
RUN /tools/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir /wheels ./gallery ./plugin

FROM tools AS gallery-packages
COPY requirements/gallery.txt requirements/gallery.txt
RUN python3 -m venv --without-pip /venv \
    && /tools/bin/python -m pip --python /venv/bin/python install --quiet --no-compile --require-hashes --only-binary :all: -r requirements/gallery.txt \
    && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        -x 'site-packages/kubernetes/client/(models|api)/' /venv/lib
COPY --from=wheel /wheels /wheels
COPY --from=gallery-wheel /wheels /wheels
RUN /tools/bin/python -m pip --python /venv/bin/python install --quiet --no-compile --no-deps --no-index /wheels/*.whl \
    && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        /venv/lib/python3*/site-packages/reconstruction_operator /venv/lib/python3*/site-packages/reconstruction_gallery \
        /venv/lib/python3*/site-packages/kubectl_recon

FROM runtime AS gallery
LABEL org.opencontainers.image.title="reconstruction-gallery" \
      org.opencontainers.image.description="Web gallery of 3D reconstructions, authorised as the Kubernetes user"
COPY --from=gallery-packages /venv /venv
EXPOSE 8080 8081
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('GALLERY_PROBE_PORT') or 8081}/healthz\", timeout=4)"]
ENTRYPOINT ["reconstruction-gallery"]

# --- The workers ------------------------------------------------------------------------------------------------------------
FROM runtime AS worker-runtime
# Metrics, and the health check, whose port opens once the worker listens to its queues.
ENV WORKER_METRICS_PORT=8080 WORKER_PROBE_PORT=8081
USER 0:0
RUN install -d -o 65532 -g 65532 /jobs && install -d /photos
USER 65532:65532
EXPOSE 8080 8081
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['WORKER_PROBE_PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["celery", "--app=reconstruction_operator.celery_app"]
CMD ["worker", "--concurrency=1", "--loglevel=INFO"]

FROM tools AS worker-base-packages
COPY requirements/worker-base.txt requirements/worker-base.txt
RUN python3 -m venv --without-pip /venv \
    && /tools/bin/python -m pip --python /venv/bin/python install --quiet --no-compile --require-hashes --only-binary :all: -r requirements/worker-base.txt \
    && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /venv/lib
COPY --from=wheel /wheels /wheels
RUN /tools/bin/python -m pip --python /venv/bin/python install --quiet --no-compile --no-deps --no-index /wheels/*.whl \
    && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /venv/lib/python3*/site-packages/reconstruction_operator

# The base for a worker with your own model: `FROM …/worker-base`, and install the model's package into /venv.
FROM worker-runtime AS worker-base
LABEL org.opencontainers.image.title="reconstruction-worker-base" \
      org.opencontainers.image.description="Celery worker for 3D reconstruction jobs, without a model"
COPY --from=worker-base-packages /venv /venv

FROM tools AS worker-packages
COPY requirements/worker.txt requirements/worker.txt
RUN python3 -m venv --without-pip /venv \
    && /tools/bin/python -m pip --python /venv/bin/python install --quiet --no-compile --require-hashes --only-binary :all: -r requirements/worker.txt \
    && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /venv/lib
COPY --from=wheel /wheels /wheels
RUN /tools/bin/python -m pip --python /venv/bin/python install --quiet --no-compile --no-deps --no-index /wheels/*.whl \
    && /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /venv/lib/python3*/site-packages/reconstruction_operator

# All packages are in one layer: on top of worker-base, the image would contain the shared ones twice.
FROM worker-runtime AS worker
LABEL org.opencontainers.image.title="reconstruction-worker" \
      org.opencontainers.image.description="Celery worker for 3D reconstruction jobs, with photogrammetry on a CPU"
COPY --from=worker-packages /venv /venv
