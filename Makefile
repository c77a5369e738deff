# Entry point for development. It needs python3 >= 3.11 (venv, pip), Node >= 20 (npm) and make. Everything is
# installed into the checkout (.venv, node_modules) and nothing globally.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export PYTHONUNBUFFERED = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo local test test-all soak bench check format synth docs preflight deploy undeploy cost lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: .venv/.installed node_modules/.installed ## install what the other targets need (they also do it themselves)

.venv/.installed: requirements-dev.txt client/pyproject.toml
	@echo "setup: Python packages into .venv (about a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "setup: Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index -e ./client
	@touch $@

node_modules/.installed: package-lock.json
	@echo "setup: the CDK CLI and what builds the console into node_modules"
	@npm ci --silent --no-fund --no-audit
	@touch $@

demo: setup ## run three requests, one of them a ComfyUI workflow, through the whole pipeline on this machine, images into out/
	@python -m local.demo

local: setup ## run the pipeline on this machine until Ctrl-C (ENGINE_URL=http://host:7860: with a real SD Web UI, COMFYUI_URL=http://host:8188: with a real ComfyUI)
	@python -m local.serve

# Four processes, because many tests wait for processes and servers.
test: setup ## run all tests except those marked long (under ten minutes on two cores)
	@python -m pytest -n 4 --dist loadgroup -m "not long"

test-all: test soak ## run all tests: those of make test and of make soak (CI runs this; CONTRIBUTING.md has the times)

soak: setup ## run only the long tests, such as those with injected faults (FAULTS_TASKS=n tasks; FAULTS_SEED=n repeats a run)
	@FAULTS_TASKS=$${FAULTS_TASKS:-500} python -m pytest -m "long or soak" -s

bench: setup ## run the benchmarks: GPU busy share, model switches, checking of requests, scaling (about ten minutes)
	@python -m bench.gpu_busy
	@python -m bench.gpu_busy_comfyui
	@python -m bench.model_switches
	@python -m bench.checking
	@python -m bench.regexes
	@python -m bench.cold_start
	@python -m bench.scaling

check: setup ## check lint, format, types and import rules
	@tsc --project console
	@cd console && biome check --error-on-warnings .
	@ruff check .
	@ruff format --check .
	@python -m mypy
	@lint-imports

format: setup ## format the code and fix lint errors
	@ruff format .
	@ruff check --fix .
	@cd console && biome check --write .

synth: setup ## synthesize and check all stacks in cdk.out/, and those for a China region in cdk.out/aws-cn/
	@AWS_REGION=us-east-1 cdk synth --quiet --output cdk.out
	@AWS_REGION=cn-north-1 cdk synth --quiet --output cdk.out/aws-cn
	@cfn-lint --ignore-checks W3005 W3010 --template cdk.out/*.template.json cdk.out/aws-cn/*.template.json
	@ls cdk.out/*.template.json cdk.out/aws-cn/*.template.json

docs: setup ## build the documents as a site in out/site, with all links checked
	@NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet
	@echo "docs: open out/site/index.html, or with a search box: python3 -m http.server -b 127.0.0.1 -d out/site"

preflight: setup ## check the AWS account before a deployment
	@python -m tools.preflight

deploy: setup ## deploy everything to AWS and send one task (docs/deploy.md); can be repeated
	@python -m tools.deploy

undeploy: setup ## stop the GPUs and remove the deployment from AWS (docs/deploy.md)
	@python -m tools.undeploy

cost: setup ## write docs/cost.md from the prices, config.yaml and the templates
	@python -m tools.cost

lock: setup ## update the lock files of the requirements, with hashes
	@uv pip compile $(UV_COMPILE) -o requirements-dev.txt requirements-dev.in
	@uv pip compile $(UV_COMPILE) -c requirements-dev.txt -o functions/requirements.txt functions/requirements.in
	@uv pip compile $(UV_COMPILE) -c requirements-dev.txt -o functions/webhooks/requirements.txt functions/webhooks/requirements.in
	@uv pip compile $(UV_COMPILE) -c requirements-dev.txt -o container/consumer/requirements.txt container/consumer/requirements.in
	@for name in automatic1111 forge; do uv pip compile $(UV_LINUX) -o container/sdwebui/$$name/requirements.txt container/sdwebui/$$name/requirements.in; done
	@uv pip compile $(UV_LINUX) -o container/comfyui/requirements.txt container/comfyui/requirements.in
UV_LINUX = --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
UV_COMPILE = --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

clean: ## remove everything that the other targets create
	@rm -rf .venv node_modules cdk.out out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
