# `make help` lists the targets. Ports and the stack are variables: make up PROXY_PORT=18000
PYTHON ?= python3
export PYTHONUTF8 := 1
ifeq ($(origin STACK)$(STACK),command line)
$(error STACK is empty, so it names no stack. Name one, or leave STACK out for dev)
endif
export PROXY_PORT TLS_PORT ADMIN_PORT DNS_PORT STACK BESIDE FILE FOLLOW JSON REQUEST WATCH

EXPORT := .venv/bin/uv export -q --frozen --no-emit-project --no-header --no-annotate

.PHONY: help actionlint api-diff clients sbom up down preview status logs drift graph open cluster cluster-down smoke backup restore setup test test-cluster lint coverage mutants fuzz endurance faults gapless bench scaling bench-check docs openapi plans lock
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "STACK=NAME chooses a stack other than dev. make up PROXY_PORT=… TLS_PORT=… ADMIN_PORT=… DNS_PORT=… chooses ports."

up: setup ## deploy the API behind its gateway; safe to repeat
	@.venv/bin/python -m local up

down: setup ## destroy the stack, and stop and remove what `make up` started
	@.venv/bin/python -m local down

preview: setup ## show what `make up` would change, and write a report for reviewers
	@.venv/bin/python -m local preview

cluster: setup ## start a Kubernetes cluster with two nodes on this machine, for make up STACK=cluster
	@.venv/bin/python -m local cluster

cluster-down: setup ## remove that cluster and everything that it started
	@.venv/bin/python -m local cluster-down

open: setup ## open the docs page in a browser, through the gateway; its calls create real sessions
	@.venv/bin/python -m local open

status: setup ## show the API, replicas, gateway, record and sessions; WATCH=1 refreshes, JSON=1 prints JSON
	@.venv/bin/python -m local status

logs: setup ## follow the replicas' logs; REQUEST=ID shows one request, JSON=1 prints JSON, FOLLOW=0 ends
	@.venv/bin/python -m local logs

drift: setup ## report what differs between the state and Docker, Kong and Route 53; changes nothing
	@.venv/bin/python -m local drift

graph: setup ## write the deployed stack as an SVG, from its state: make graph FILE=stack.svg
	@.venv/bin/python -m local graph

smoke: setup ## create, read and remove a session through the gateway
	@.venv/bin/python -m local smoke

backup: setup ## copy the running stack's sessions into a file: make backup FILE=sessions.db
	@.venv/bin/python -m local backup

restore: setup ## stop the API, and replace the sessions with a backup file: make restore FILE=sessions.db
	@.venv/bin/python -m local restore

test: lint ## run linters and all tests; starts what they need and stops it again; ORDER=random shuffles them
	.venv/bin/python -m pytest -n 3 --dist loadfile --durations=5 --ignore=tests/cluster $(if $(ORDER),-p randomly --randomly-seed=$(ORDER:random=default))

test-cluster: setup ## run the tests on a cluster that they start and remove: make test-cluster KILLS=20
	KILLS=$(KILLS) .venv/bin/python -m pytest --durations=5 tests/cluster

lint: setup ## check style, types, imports, workflows and Dockerfiles
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo --no-cache
	.venv/bin/zizmor -q --offline --no-progress .github
	.venv/bin/hadolint Dockerfile offline/gateway/Dockerfile tests/local/kong_image/Dockerfile

actionlint: setup ## check the workflows' syntax too; the first time it is built, with Go
	@.venv/bin/python -m local.go_tool actionlint

sbom: setup ## write an image's SBOM as CycloneDX, and check the licenses in it: make sbom IMAGE=NAME
	@.venv/bin/python -m local.sbom $(or $(IMAGE),$(error name the image: make sbom IMAGE=NAME))

coverage: setup ## list the lines of service/ and infra/ that their tests don't cover: make coverage TESTS=tests/infra
	.venv/bin/coverage erase
	.venv/bin/coverage run -m pytest -q -n 3 --dist loadfile $(or $(TESTS),tests/service tests/infra)
	.venv/bin/coverage combine -q
	.venv/bin/coverage report

mutants: setup ## report changes of the code that no test notices, which takes hours: make mutants SAMPLE=320 SEED=1
	@.venv/bin/python -m tests.mutants $(or $(SAMPLE),0) $(or $(SEED),1)

fuzz: setup ## send generated requests and validate responses against openapi.json: make fuzz CASES=20000 DATABASE=postgresql
	@.venv/bin/python -m tests.service.fuzz $(or $(CASES),20000) $(or $(DATABASE),sqlite)

endurance: setup ## kill the service and simulate power loss, under load: make endurance ROUNDS=100
	@.venv/bin/python -m tests.endurance.run $(or $(ROUNDS),100)

faults: setup ## break every outside call of `up` in five ways, and check that it recovers: make faults ONLY=dns JOBS=4
	@JOBS=$(JOBS) SEQUENCES=$(SEQUENCES) .venv/bin/python -m tests.faults.run $(ONLY)

gapless: setup ## change a stack under load, and count failed requests and lost writes: make gapless ON=docker REQUESTS=100000 RATE=250
	@.venv/bin/python -m tests.gapless.run $(or $(ON),docker) $(or $(REQUESTS),100000) $(or $(RATE),250)

bench: setup ## compare the service with other implementations, for docs/performance.md: make bench ROUNDS=3 SECONDS=3
	@.venv/bin/python -m bench.run $(or $(ROUNDS),3) $(or $(SECONDS),3)

scaling: setup ## measure the service with up to 10,000,000 sessions and 4 replicas, for docs/scaling.md: make scaling SIZES="1000 10000"
	@.venv/bin/python -m bench.scaling $(or $(SECONDS),3) $(SIZES)

bench-check: setup ## report requests that take more instructions than recorded; RECORD=1 records them
	@.venv/bin/python -m bench.check $(if $(RECORD),record)

docs: setup ## build docs/ as a site that loads nothing from other hosts, and check its links
	@.venv/bin/zensical build --strict
	@echo "Built. To read it: .venv/bin/python -m http.server --bind 127.0.0.1 --directory site"

clients: setup ## generate the typed clients of docs/api.md, compile them strictly, and call every operation
	@.venv/bin/python -m pytest -q -n 0 tests/clients/test_python.py tests/clients/typescript.py

api-diff: setup ## report what in openapi.json breaks clients of another version: make api-diff BASE=v1.0.0
	@.venv/bin/python -m local.go_tool oasdiff breaking --fail-on ERR $(or $(BASE),origin/main):openapi.json openapi.json

openapi: setup ## regenerate openapi.json from the service
	@.venv/bin/python -m service.openapi > openapi.json

plans: setup ## regenerate plans/ from the program and the stacks' files
	@.venv/bin/python -m infra.plan

setup: ## find or install everything that is needed; starts nothing
	@command -v $(PYTHON) > /dev/null || { echo "Error: $(PYTHON) is not installed. Install Python 3.11 or later, or choose one: make up PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Error: this is Python %d.%d, but 3.11 or later is needed. Choose another: make up PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -m local.install
	@$(if $(filter-out setup,$(MAKECMDGOALS)),:,echo "Ready: make up")

lock: setup ## update uv.lock and both requirements.txt from pyproject.toml; UPGRADE=1 takes new versions
	@.venv/bin/uv lock -q $(if $(UPGRADE),--upgrade)
	@$(EXPORT) --all-extras -o requirements.txt
	@$(EXPORT) --no-dev -o service/requirements.txt
