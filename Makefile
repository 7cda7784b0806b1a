# The commands of this checkout; `make` alone lists them.

PYTHON_BIN := .venv/bin/python
SOURCES    := operator plugin gallery demo devcluster chaos benchmarks examples scripts tests

# Bytecode is kept, even where a container image forbids it: otherwise each of a thousand processes would compile the project.
unexport PYTHONDONTWRITEBYTECODE

# For kubectl, helm and the servers of the tests: collections of garbage take a fifth of their CPU time otherwise.
export GOGC := 400

.DEFAULT_GOAL := help
.PHONY: help setup check lint style types layers tree unit test test-long test-pythons demo demo-open demo-stop kind cluster \
        cluster-stop control-plane images release publish emulation e2e chaos repeat bench generate crd docs manifests site format lock \
        base-images viewer headlamp clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

setup: ## make .venv with everything for development (again when the pins change)
	@scripts/setup

demo: ## photos to a mesh on a real control plane; PHOTOS=... uses yours, KEEP=1 keeps it running, OPEN=1 shows the mesh too, VERBOSE=1 all commands, KUBECONFIG=... uses your cluster
	@scripts/setup demo $(if $(KEEP),--keep) $(if $(OPEN),--open) $(if $(VERBOSE),--verbose) $(if $(PHOTOS),--photos '$(PHOTOS)') $(demo-cluster)

kind: ## images by Docker and the chart in a kind cluster (Docker, kind, helm; no test runs it); `kind delete cluster` removes it
	for name in operator worker gallery; do docker build --target $$name --tag reconstruction-$$name:$(VERSION) . || exit 1; done
	kind get clusters | grep -qx kind || kind create cluster
	kind load docker-image $(foreach name,operator worker gallery,reconstruction-$(name):$(VERSION))
	helm upgrade --install reconstruction charts/reconstruction-operator --kube-context kind-kind --namespace reconstruction-system \
	  --create-namespace --values charts/reconstruction-operator/ci/kind-values.yaml --wait --timeout 10m

demo-open: setup ## show the mesh of such a demo in the browser again, at a new one-time address
	@$(PYTHON_BIN) -m demo --show

demo-stop: setup ## stop a demo of `make demo KEEP=1`
	@$(PYTHON_BIN) -m demo --stop

# Five processes, each with its own servers, because most real tests wait: four leave a quarter of two cores idle. One process runs all tests
# of a file, or of a folder with its own control plane; the longest come first (tests/conftest.py).
PROCESSES    ?= 5
IN_PROCESSES := --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder --durations=20 --durations-min=1
PARALLEL    := $(MAKE) --no-print-directory --jobs=3 --keep-going --output-sync=target
LINTS       := style types layers tree

# The unit tests in parts, the longest first: each part is a process that imports and collects only its tests.
part-planning := $(addprefix tests/unit/,api contract planning)
part-engine   := $(addprefix tests/unit/,benchmarks models)
part-worker   := $(addprefix tests/unit/,transfer worker)
part-tools    := $(addprefix tests/unit/,chaos chart cli dashboards demo gallery plugin scripts)
part-operator := tests/unit tests/behaviour $(addprefix --ignore=,$(part-planning) $(part-engine) $(part-worker) $(part-tools))
UNIT          := $(addprefix unit-,operator engine worker tools planning)

check: setup ## the quick part: style, types, layers, tree, and the unit tests
	@$(PYTHON_BIN) -S scripts/checks/layout.py
	@$(PARALLEL) $(UNIT) $(LINTS)

# Lint, unit tests and the first others run while the control plane is built. Its messages are in .venv/build.log.
test: setup ## what `check` does, then the tests on a real control plane, Redis and workers
	@$(PYTHON_BIN) -m devcluster build >.venv/build.log 2>&1 & trap "kill $$! 2>/dev/null" EXIT; \
	$(MAKE) --no-print-directory $(if $(PYTEST_ARGS),lint,check) && \
	$(PYTHON_BIN) -m pytest -m "not release" $(or $(PYTEST_ARGS),tests/integration tests/real $(IN_PROCESSES))

test-long: setup control-plane ## before a release: the tests that are too long for every run
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(PYTHON_BIN) -m pytest -m "release or hypothesis" --hypothesis-profile=release $(or $(PYTEST_ARGS),$(IN_PROCESSES))

test-pythons: ## lint and tests on each supported Python; PYTHONS="3.12 3.13" PYTEST_ARGS=tests/unit for less
	@PYTHONS="$(PYTHONS)" PYTEST_ARGS="$(or $(PYTEST_ARGS),$(IN_PROCESSES))" scripts/test-pythons

lint: setup
	@$(PYTHON_BIN) -S scripts/checks/layout.py
	@$(PARALLEL) $(LINTS)

style: setup
	@$(PYTHON_BIN) -m ruff check --quiet $(SOURCES)
	@$(PYTHON_BIN) -m ruff format --check --quiet $(SOURCES)
	@git ls-files -z '*.md' | xargs -0 $(PYTHON_BIN) -m mdformat --check

types: setup
	@$(PYTHON_BIN) -m mypy

layers: setup
	@.venv/bin/lint-imports

tree: setup
	@$(PYTHON_BIN) -m scripts.checks
	@$(PYTHON_BIN) -m scripts.generate --check
	@sha256sum --check --quiet gallery/viewer/SHA256SUMS || { echo "run make viewer" >&2; false; }

unit: setup
	@$(PARALLEL) $(UNIT)

$(UNIT): unit-%: setup
	@$(PYTHON_BIN) -m pytest $(part-$*) -m "not release" --quiet

control-plane: setup
	@$(PYTHON_BIN) -m devcluster build >/dev/null

cluster: setup ## start a control plane and a Redis that keep running; prints their settings
	@$(PYTHON_BIN) -m devcluster start --detach

cluster-stop: setup ## stop both
	@$(PYTHON_BIN) -m devcluster stop

images: setup ## build the operator's and the worker's images without Docker (root, Debian)
	@$(PYTHON_BIN) -m devcluster images operator worker

release: setup ## wheels, chart, krew, Headlamp and image archives, SBOMs, checksums into dist/ (root, Debian); RELEASE_ARGS=--draft to try it
	@$(PYTHON_BIN) -m scripts.release $(if $(OWNER),--owner '$(OWNER)') $(RELEASE_ARGS)

publish: setup ## what `make release` wrote, to the forge of OWNER; PUBLISH="images chart" for less (scripts/publish has the parts)
	@OWNER='$(OWNER)' scripts/publish $(or $(PUBLISH),images chart wheels files)

emulation: ## let this machine's kernel run programs of arm64, for `make release` (root, Debian)
	@apt-get install -q -y --no-install-recommends qemu-user-static binfmt-support
	@test -e /proc/sys/fs/binfmt_misc/register || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
	@update-binfmts --enable qemu-aarch64

e2e: setup ## images, a real node and the chart on it, from nothing to a mesh (root, Debian; installs containerd and others)
	@$(PYTHON_BIN) -m pytest -x tests/e2e $(PYTEST_ARGS) # one step after the other, on one node

chaos: setup control-plane ## 30 minutes of faults over 50 jobs; CHAOS_ARGS='--minutes 5 --seed 7' for less (see --help there)
	@$(PYTHON_BIN) -m chaos $(CHAOS_ARGS)

repeat: setup ## whether the same photos give the same mesh, to the bit, in 1, 2 and 4 threads and after kills; REPEAT_ARGS='--photos FOLDER'
	@$(PYTHON_BIN) -m benchmarks.repeat $(REPEAT_ARGS)

bench: setup ## measure speed, beside the API server's limit and others; BENCH_ARGS='--only 1,000 --repeat 1' for less, --long for all
	@$(PYTHON_BIN) -m benchmarks $(BENCH_ARGS)

generate: setup ## write all files that are made from the code or from other files
	@$(PYTHON_BIN) -m scripts.generate

crd: setup ## write manifests/crd, and the chart's copy, from the types in operator/reconstruction_operator/api
	@$(PYTHON_BIN) -m scripts.generate crd

docs: setup ## write the tables in docs/ and of the chart, integrations' single files, figures, and prices of mechanisms
	@$(PYTHON_BIN) -m scripts.generate docs chart integrations performance prices

site: setup ## build docs/ as a site into site-output/, with Sphinx in .venv-docs
	@$(PYTHON_BIN) -m scripts.site

manifests: setup ## write manifests/install from the chart's defaults, and what each shape of the chart renders (tests/data/renders)
	@$(PYTHON_BIN) -m scripts.generate manifests renders

format: setup ## let ruff fix what it can, and mdformat wrap the pages
	@$(PYTHON_BIN) -m ruff check --fix $(SOURCES)
	@$(PYTHON_BIN) -m ruff format $(SOURCES)
	@git ls-files -z '*.md' | xargs -0 $(PYTHON_BIN) -m mdformat

lock: setup ## write requirements/*.txt from pyproject.toml; UPGRADE=1 takes the newest of everything
	@scripts/lock

base-images: setup ## write today's digests of the base images' tags into Dockerfile and workflows (needs their registry)
	@scripts/base-images

viewer: ## write the built <model-viewer> and a test's glTF validator from the packages in gallery/viewer (npm)
	@scripts/viewer

headlamp: setup ## check, test and package the Headlamp plugin (npm; hundreds of packages at first)
	@scripts/headlamp

clean: ## remove .venv, caches and the results of demo and benchmarks; the built control plane stays in the user's cache folder
	rm -rf .venv .venv-docs .pythons .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench-output demo-output site-output
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# A KUBECONFIG from the shell may be a production cluster, so the demo uses one only from this command line.
demo-cluster = $(if $(filter command,$(firstword $(origin KUBECONFIG))),--kubeconfig '$(KUBECONFIG)')
