# falloff: what leaks from a clinic's revenue, and which patients fall off. `make` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The DuckDB driver's Arrow interface is behind a build tag.
export GOFLAGS := $(strip $(GOFLAGS) -tags=duckdb_arrow)
export CGO_ENABLED ?= 1

BIN      := bin/falloff
DEMO_DIR ?= demo
# Where the demo's lake lies: a folder, s3 for a server on loopback that is started for it, or s3://bucket/prefix of your own.
DEMO_LAKE ?= $(DEMO_DIR)/lake
GOLANGCI := .bin/golangci-lint
GOLANGCI_VERSION := v2.15.0

.PHONY: help
help: ## list the targets
	@awk 'BEGIN{FS=":.*## "} /^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup-demo build ## install what is missing, build, and run the whole way on a simulated clinic
ifeq ($(DEMO_LAKE),s3)
	go build -o bin/s3server ./infra/s3server
	bin/s3server --dir $(DEMO_DIR)/s3 --bucket demo -- $(BIN) demo --dir $(DEMO_DIR) --lake s3://demo/lake --serve=false # the S3 server ends with it
else
	$(BIN) demo --dir $(DEMO_DIR) --lake $(DEMO_LAKE)
endif

.PHONY: test
test: setup-test ## install what the tests need and run all of them (Go and the Grafana plugin)
	go test -timeout 30m ./...
	$(MAKE) rules
	cd grafana-plugin && npm run typecheck && npm run test:ci
	@[ -n "$$GRAFANA_URL" ] || echo "NOT RUN: the dashboard in a running Grafana; set GRAFANA_URL to the address of one"

.PHONY: build
build: ## build bin/falloff
	@mkdir -p bin
	go build -o $(BIN) ./pipeline/cmd/falloff

.PHONY: plugin
plugin: setup-plugin ## build the Grafana plugin (frontend and backend) into grafana-plugin/dist
	cd grafana-plugin && npm run build
	infra/setup/build-plugin-backend.sh

.PHONY: check
check: fmt-check vet lint test build plugin ## what CI runs: format, vet, lint, tests, build of everything

# What a release is called, and by whose time its archives are dated.
VERSION ?=
.PHONY: release
release: setup-plugin ## put a release together in dist: make release VERSION=0.1.0 (docs/release.md)
	@[ -n "$(VERSION)" ] || { echo "which version? make release VERSION=0.1.0"; exit 2; }
	@mkdir -p dist/build
	go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o dist/build/falloff ./pipeline/cmd/falloff
	rm -rf grafana-plugin/dist
	cd grafana-plugin && npm run build
	infra/setup/build-plugin-backend.sh $(PLUGIN_PLATFORMS)
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) go run ./infra/release --version $(VERSION) --binary dist/build/falloff --out dist
	cd dist && sha256sum --check SHA256SUMS

# Where Grafanas run that the plugin is for.
PLUGIN_PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

.PHONY: fmt
fmt: ## format the Go code
	gofmt -w $$(git ls-files '*.go')

.PHONY: fmt-check
fmt-check:
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; echo "run: make fmt"; exit 1; fi

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: lint
lint: $(GOLANGCI) setup-plugin ## golangci-lint and eslint
	$(GOLANGCI) run ./...
	cd grafana-plugin && npm run lint

$(GOLANGCI):
	@mkdir -p .bin
	GOFLAGS= GOBIN=$(CURDIR)/.bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

.PHONY: bench
bench: ## benchmarks, each beside the alternative it is compared with
	go test -run '^$$' -bench . -benchtime 3x -timeout 60m ./pipeline/ ./pipeline/backup/ ./pipeline/worker/ ./transforms/... ./warehouse/... ./extractors/simclinic/ ./extractors/browser/ ./grafana-plugin/pkg/plugin/

FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ## run every fuzzer for FUZZTIME, one after the other (CI does it for a minute in all)
	.ci/fuzz $(FUZZTIME)

.PHONY: long
long: setup-test ## the long suites in full (CI runs a seeded sample of each), every fuzzer for a minute
	FALLOFF_LONG=1 go test -timeout 120m ./...
	$(MAKE) readers
	.ci/fuzz 60s

.PHONY: interop
interop: ## install Apache Spark and another DuckDB, and have them read lakes in folders and in S3 (CI does it)
	infra/setup/spark.sh
	infra/setup/duckdb.sh
	FALLOFF_INTEROP=1 go test -run 'TestSparkReadsTheLake|TestAnotherDuckDBReadsTheLakeInS3' -count 1 -timeout 20m ./pipeline/cmd/falloff

.PHONY: readers
readers: ## have Helm, Kubernetes' types, Compose's and BuildKit's own readers read infra/, and render the chart's examples anew
	cd infra/readers && GOFLAGS= go test -count 1 . -update

# Go takes what lies outside the module for unchanged, so that a kept result would say nothing.
.PHONY: rules
rules: ## have Prometheus' own engine evaluate the operators' alert rules and page over series written for them
	cd infra/readers && GOFLAGS= go test -count 1 ./rules

# An earlier state of this program: a commit, a tag.
REF ?= 6fbec60
.PHONY: compat
compat: ## have this program write to kept lakes, and the program of REF read what it wrote (docs/release.md)
	infra/compat/compat.sh back $(REF)

.PHONY: bench-dbt
bench-dbt: ## a build beside dbt with its DuckDB adapter, the same statements over the same files (needs Python)
	infra/dbt/bench.sh

.PHONY: golden
golden: ## make the reference results of falloff analyze anew (needs R with survival, and Python)
	infra/golden/make.sh

.PHONY: docs
docs: ## generate docs/trust.md, docs/schema.md, docs/lineage.md, docs/metrics.md and docs/permissions.md from the program's own lists
	go run ./pipeline/cmd/falloff trust --write docs/trust.md
	go run ./pipeline/cmd/falloff schema --write docs/schema.md
	go run ./pipeline/cmd/falloff lineage --write docs/lineage.md
	go run ./pipeline/cmd/falloff metrics --write docs/metrics.md
	go run ./pipeline/cmd/falloff access permissions --write docs/permissions.md

.PHONY: setup-demo
setup-demo:
	@infra/setup/install.sh compiler browser

.PHONY: setup-test
setup-test: setup-plugin
	@infra/setup/install.sh compiler browser units postgres

.PHONY: setup-plugin
setup-plugin: grafana-plugin/node_modules/.package-lock.json

grafana-plugin/node_modules/.package-lock.json: grafana-plugin/package.json grafana-plugin/package-lock.json
	@infra/setup/install.sh node
	@[ ! -L grafana-plugin/node_modules ] || rm grafana-plugin/node_modules # npm ci would empty the checkout that it leads to
	cd grafana-plugin && npm ci --no-audit --no-fund
	@touch $@

.PHONY: clean
clean: ## remove what was built and the demo's folder
	rm -rf bin dist $(DEMO_DIR) grafana-plugin/dist
