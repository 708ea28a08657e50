# What a newcomer types: `make run`, then `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.PHONY: help run report test test-core test-aws test-report harness e2e infra bench soak fuzz sbom lint audit build package deploy man completions tools cargo-lambda venv venv-infra venv-report lock clean

PYTHON ?= python3
# The build without AWS has a folder of its own: both kinds stay built.
CORE := --locked --no-default-features --target-dir target/core
SG_TRUST := target/core/debug/sg-trust

help: ## Lists what there is to make
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: tools ## The main job, offline: an event, an account snapshot, the verdict and the finding (about a minute)
	@echo "Building sg-trust without the AWS SDK (about a minute the first time) ..."
	@cargo build $(CORE) --quiet --bin sg-trust
	@echo
	@echo "Somebody allowed all traffic from security group sg-0fedcba9876543210 (web) to sg-0123456789abcdef0 (payments-db):"
	@echo "the event is events/authorize-ingress.json, the account as EC2 shows it is events/account.json."
	@echo
	@echo "1. The verdict: sg-trust replay events/authorize-ingress.json --groups events/account.json"
	@echo
	@$(SG_TRUST) replay events/authorize-ingress.json --groups events/account.json; [ $$? -eq 1 ]
	@echo
	@echo "2. What would stand in AWS Security Hub: the same with --format asff"
	@echo
	@$(SG_TRUST) replay events/authorize-ingress.json --groups events/account.json --format asff; [ $$? -eq 1 ]
	@echo
	@echo "That is the expected result: exit code 1 means that a group FAILED. Try it on your own account, read only:"
	@echo "  aws ec2 describe-security-groups | $(SG_TRUST) check -"
	@echo "Who reaches what in a sample organisation: $(SG_TRUST) graph events/organisation --policy events/organisation/policy.toml"

report: tools ## The HTML report of the sample organisation: target/report.html
	@cargo build $(CORE) --quiet --bin sg-trust
	@$(SG_TRUST) report events/organisation --policy events/organisation/policy.toml --title "Sample organisation" -o target/report.html
	@echo "The report is $(CURDIR)/target/report.html: open it in a browser."

test: tools test-core test-aws test-report harness e2e infra ## Every test: Rust with and without AWS, the report, end to end, infra (the AWS SDK takes minutes to build once)

test-core: tools ## The Rust tests without AWS (seconds)
	cargo test $(CORE)

test-aws: tools ## The Rust tests with AWS
	cargo test --locked

test-report: tools venv-report ## The HTML report in a real Chromium (skipped, with how to get it, where there is none)
	cargo build $(CORE) --quiet --bin sg-trust
	.venv-report/bin/python -m pytest -q -rs tests/report

harness: tools venv ## The tests' own tools: the stub of AWS, the Runtime API, the environments (no Rust)
	.venv/bin/python -m pytest -q tests/harness

e2e: tools venv ## The real Lambda binary against EC2 and Security Hub on this machine (moto)
	cargo build --locked --bins
	.venv/bin/python -m pytest -q tests/e2e

# After e2e, which notes the calls that the function makes: the role is compared with them.
infra: tools venv venv-infra ## The templates, checked and deployed on this machine (ministack), with the real Lambda binary
	cargo build --locked --bins
	.venv/bin/python -m pytest -q tests/infra

bench: tools venv ## Cold start, calls, throughput, memory and size against a hello-world (builds for release: minutes, once)
	.venv/bin/python benches/bench.py $(BENCH)

lint: tools ## Formatting, clippy with and without AWS, documentation
	cargo fmt --check
	cargo clippy $(CORE) --all-targets -- -D warnings
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

audit: tools ## Known vulnerabilities of the dependencies (needs the network)
	@command -v cargo-deny >/dev/null || { echo "cargo-deny is missing: cargo install --locked cargo-deny"; exit 1; }
	@cargo deny check advisories || { echo "If the database could not be fetched: this needs access to github.com."; exit 1; }

build: tools cargo-lambda ## The function for AWS Lambda on arm64, as target/lambda/sg-trust-lambda/bootstrap.zip
	cargo lambda build --locked --release --arm64 --output-format zip --bin sg-trust-lambda

package: tools ## A package for this machine's own processor, with plain cargo on Linux: target/sg-trust-lambda.zip
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.10 or later"; exit 1; }
	$(if $(wildcard policy.toml),cargo run --quiet $(CORE) --bin sg-trust -- policy --check policy.toml)
	cargo build --locked --release --bin sg-trust-lambda
	$(PYTHON) infra/package.py target/release/sg-trust-lambda --output target/sg-trust-lambda.zip $(if $(wildcard policy.toml),--policy policy.toml)
	@echo "target/sg-trust-lambda.zip is for $$(uname -m). It runs on Lambda where this machine's C library is no newer than Amazon Linux 2023's (2.34)."

# With a package of a release nothing is built.
deploy: $(if $(findstring --package,$(ARGUMENTS)),,tools cargo-lambda) ## Deploys the stack: make deploy ARGUMENTS="--region eu-west-1 SweepRate=rate(6 hours)" (--package takes a release)
	@command -v aws >/dev/null || { echo "aws is missing: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html, or pip install awscli"; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.10 or later"; exit 1; }
	@$(PYTHON) infra/arguments.py

cargo-lambda:
	@command -v cargo-lambda >/dev/null || { echo "cargo-lambda is missing: pip install cargo-lambda (it brings zig along)"; exit 1; }

man: tools ## The man pages of all commands, into target/man
	cargo run --quiet $(CORE) --bin sg-trust -- man target/man

completions: tools ## The completion scripts of all shells, into target/completions
	@mkdir -p target/completions
	@cargo build $(CORE) --quiet --bin sg-trust
	@for shell in bash elvish fish powershell zsh; do $(SG_TRUST) completions $$shell >target/completions/sg-trust.$$shell || exit 1; done

sbom: tools ## A bill of materials of what is shipped (CycloneDX): target/sg-trust-lambda.cdx.json, target/sg-trust.cdx.json
	@cargo cyclonedx --version >/dev/null 2>&1 || { echo "cargo-cyclonedx is missing: cargo install --locked cargo-cyclonedx@0.5.9"; exit 1; }
	cargo cyclonedx --quiet --format json --describe binaries --target aarch64-unknown-linux-gnu
	@mkdir -p target && for name in sg-trust-lambda sg-trust; do mv $${name}_bin.cdx.json target/$$name.cdx.json; done

soak: tools venv ## 10 000 mixed events through one process of the function (some minutes)
	cargo build --locked --bins
	SG_TRUST_SOAK_EVENTS=$${SG_TRUST_SOAK_EVENTS:-10000} .venv/bin/python -m pytest -q -s tests/e2e/test_soak.py

# What is fuzzed, for how many seconds each, and what cargo-fuzz needs.
FUZZ ?= trigger documents settings finding
FUZZ_SECONDS ?= 60
FUZZ_BUILD ?= target/fuzz/build
CARGO_FUZZ := 0.13.2

fuzz: ## Fuzzing, FUZZ_SECONDS each (60): events, files of groups, settings, findings (needs a nightly Rust and cargo-fuzz)
	@cargo +nightly --version >/dev/null 2>&1 || { echo "a nightly Rust is missing: rustup toolchain install nightly --profile minimal"; exit 1; }
	@cargo fuzz --version >/dev/null 2>&1 || { echo "cargo-fuzz is missing: cargo install --locked cargo-fuzz@$(CARGO_FUZZ)"; exit 1; }
	@for target in $(FUZZ); do \
		mkdir -p target/fuzz/$$target; \
		echo "Fuzzing $$target for $(FUZZ_SECONDS) s ..."; \
		cargo +nightly fuzz run --fuzz-dir fuzz --target-dir $(FUZZ_BUILD) $$target target/fuzz/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 || exit 1; \
	done

# Everything that is missing is named at once. Python is asked for only where it is used.
NEEDS_PYTHON := $(filter test test-report harness e2e infra bench soak venv venv-infra venv-report,$(MAKECMDGOALS))
tools:
	@missing=0; \
	need() { command -v "$$1" >/dev/null 2>&1 || { echo "$$1 is missing: $$2"; missing=1; false; }; }; \
	need cargo "install Rust 1.94.1 or later from https://rustup.rs"; \
	need cc "install a C compiler (Debian: apt-get install gcc; Fedora: dnf install gcc; macOS: xcode-select --install)"; \
	need git "install git from your system's packages"; \
	$(if $(NEEDS_PYTHON),need "$(PYTHON)" "install Python 3.10 or later with venv (Debian: apt-get install python3 python3-venv; Fedora: dnf install python3; macOS: brew install python3)" \
		&& { "$(PYTHON)" tests/venv.py --check || missing=1; };) \
	exit $$missing

# What the tests need: locks, each with all that its .in needs, for every Python from 3.10 on. tests/venv.py makes an
# environment anew when its lock or the Python changes.
venv: tools
	@"$(PYTHON)" tests/venv.py .venv tests/requirements.txt

# Playwright is large: only the tests of the report need it.
venv-report: tools
	@"$(PYTHON)" tests/venv.py .venv-report tests/report/requirements.txt

# The tools of the infra tests: one environment each, since they do not agree on what they need.
INFRA_TOOLS := $(patsubst tests/infra/requirements/%.txt,.venv-infra/%,$(wildcard tests/infra/requirements/*.txt))
.PHONY: $(INFRA_TOOLS)
venv-infra: tools
	@$(MAKE) --no-print-directory -j 2 $(INFRA_TOOLS)
$(INFRA_TOOLS): .venv-infra/%: tests/infra/requirements/%.txt
	@"$(PYTHON)" tests/venv.py $@ $<

LOCKS := $(patsubst %.in,%.txt,$(wildcard tests/requirements.in tests/report/requirements.in tests/infra/requirements/*.in))
lock: ## Makes the locks of the tests' Python packages from their .in files (needs uv): make lock UPGRADE=--upgrade takes newer versions
	@command -v uv >/dev/null || { echo "uv is missing: pip install uv"; exit 1; }
	@for lock in $(LOCKS); do \
		uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-emit-find-links \
			--custom-compile-command "make lock" $(UPGRADE) --output-file "$$lock" "$${lock%.txt}.in" || exit 1; \
	done

clean: ## Removes what was built and installed
	rm -rf target .venv .venv.new .venv-infra .venv-report .venv-report.new
