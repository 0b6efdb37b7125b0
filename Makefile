# Flint's commands. `make run` and `make test` do all the set-up that they need.

NODE := hack/runtime node
.DEFAULT_GOAL := help
.PHONY: help setup run test unit check lint types format generate fuzz bench bench-cluster bench-control bench-ready probes soak e2e e2e-nodes image clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: node_modules/.package-lock.json ## install what the project needs, pinned, into node_modules

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

run: setup ## serve a demo: IngressRoute manifests to proxied requests, with two backends
	@exec $(NODE) hack/demo.ts

test: setup check unit e2e ## everything that must hold: checks, unit and end-to-end tests

unit: setup ## the tests that need no cluster and no runtime of their own, some eight minutes on two cores
	$(NODE) --test --test-timeout=120000 --test-reporter=dot $(shell find test -name '*.test.ts' $(patsubst %,-not -path 'test/%/*',e2e cluster gitops install node) -not -path 'test/chaos/soak*' | sort)

# What looks at memory, descriptors and seconds of a process wants the machine for itself; the rest mostly waits.
E2E_ALONE := $(patsubst %,test/e2e/%.test.ts,descriptors-spent h2-floods idle-connections memory-pressure probes websocket-load) test/chaos/soak.test.ts
E2E_TOGETHER = $(filter-out $(E2E_ALONE),$(wildcard test/e2e/*.test.ts))
E2E := $(NODE) --test --test-timeout=180000

e2e: setup ## real processes, real sockets, a real API server, real nodes; what is missing is said and skipped
	@hack/assets --early
	FLINT_RUNTIME=bun $(E2E) --test-reporter=spec --test-concurrency=2 $(E2E_TOGETHER)
	FLINT_RUNTIME=bun $(E2E) --test-reporter=spec --test-concurrency=1 $(E2E_ALONE)
	@echo "the same with the data plane on Node"
	FLINT_RUNTIME=node $(E2E) --test-reporter=dot --test-concurrency=2 $(E2E_TOGETHER)
	FLINT_RUNTIME=node $(E2E) --test-reporter=dot --test-concurrency=1 $(E2E_ALONE)
	@hack/assets
	hack/private-network $(NODE) --test --test-timeout=900000 --test-reporter=spec --test-concurrency=1 'test/install/**/*.test.ts' 'test/cluster/**/*.test.ts' 'test/gitops/**/*.test.ts'
	@$(MAKE) --no-print-directory e2e-nodes

e2e-nodes: setup ## the part of it on real nodes: kubelets, containerd, pods, Flint by its chart (root on Debian)
	@hack/assets
	@hack/node-packages || test $$? -eq 3
	@hack/node-images
	hack/node-sandbox $(NODE) --test --test-timeout=900000 --test-reporter=spec --test-concurrency=1 'test/node/**/*.test.ts'

check: setup types lint ## types, lint, format, and generated files that are up to date
	$(NODE) hack/generate.ts --check

types: setup ## the TypeScript compiler
	node_modules/.bin/tsc -p .

lint: setup ## oxlint with type-aware rules, and oxfmt
	$(NODE) node_modules/oxlint/bin/oxlint --type-aware
	$(NODE) node_modules/oxfmt/bin/oxfmt --check

format: setup ## format every file
	$(NODE) node_modules/oxfmt/bin/oxfmt

generate: setup ## rewrite what is made from code: the tables of docs/reference, parts of the chart
	$(NODE) hack/generate.ts

fuzz: setup ## fuzz the parsers; FUZZ_SECONDS=600 for longer than the default of 30 a target
	$(NODE) test/fuzz/fuzz.ts --seconds $(or $(FUZZ_SECONDS),30)

bench: setup ## cost, latency and memory beside nginx and haproxy; BENCH_ONLY='10 KB' BENCH_ROUNDS=1 for less
	@$(NODE) test/bench/bench.ts

bench-cluster: setup ## from apply to routed on a real API server, and the memory of it
	@hack/kube-assets >/dev/null
	hack/private-network $(NODE) test/bench/cluster.ts

bench-ready: setup ## from the start of a data plane to its readiness with 1000 routes, beside nginx and haproxy
	@hack/kube-assets >/dev/null
	hack/private-network $(NODE) test/bench/ready.ts

bench-control: setup ## the control plane with 10 to 10,000 routes: sync, propagation, memory; BENCH_ROUTES=1000 for less
	@hack/kube-assets >/dev/null
	hack/private-network $(NODE) test/bench/control.ts

probes: setup ## every fault beside nginx and haproxy: the table of docs/reliability.md; PROBES_ONLY='slow' for less
	@$(NODE) test/probes/run-probes.ts

soak: setup ## mixed traffic and faults for SOAK_SECONDS=600; fails at an unexplained failure or memory that grows
	@$(NODE) hack/soak.ts

image: setup ## the container images as files in .cache/images, without a docker engine; IMAGE_FLAGS='--registry registry.example.com'
	@$(NODE) hack/image/build.ts $(IMAGE_FLAGS)

clean: ## remove what set-up and runs have made
	rm -rf node_modules .cache
