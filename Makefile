# SPDX-License-Identifier: Apache-2.0
# `make` lists every verb. Nothing needs to be set up by hand: each verb makes what it needs.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,$(shell command -v $(name))))
BIN := .venv/bin
DJANGO := DJANGO_SETTINGS_MODULE=portineria.control.settings.base $(BIN)/python -m django

.DEFAULT_GOAL := verbs
.DELETE_ON_ERROR:
.PHONY: verbs setup demo demo-clean run test test-sqlite test-postgresql check check-types check-rest dist bundle bench deep docs pictures format messages assets clean debian-demo debian-test debian-bench

verbs:
	@echo "Portineria. Start with \`make demo\`."
	@echo
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14 | sed 's/^/  make /'

setup: .venv/ready ## the virtual environment with everything in it

demo: .venv/ready debian-demo ## two simulated plants, the whole path once, then stays up to be visited (resumes)
	$(BIN)/portineria demo

demo-clean: .venv/ready debian-demo ## the same, from an empty database
	$(BIN)/portineria demo --clean

run: .venv/ready ## the developer's server: control plane and relay on this machine
	$(BIN)/portineria serve

test: test-sqlite test-postgresql ## every test, the control plane's on both databases; PYTEST="-k cut -x" narrows them

# They start thousands of processes. Where somebody forbade it to be kept, each compiles anew what it imports: a second.
test-sqlite test-postgresql: export PYTHONDONTWRITEBYTECODE :=

# Many of them wait for a lease to end or a process to die: four at once keep two cores busy. In the order of folders,
# where the small files come last, so that none is left alone with the longest.
SPREAD := -n 4 --dist loadfile --no-loadscope-reorder

test-sqlite: .venv/ready debian-test
	$(BIN)/python -m pytest $(SPREAD) $(PYTEST)

# The server is thrown away with its databases: none is removed before. Its own cache: .ci/once-more has to know which of
# the two runs failed. Status 5: what narrows it leaves nothing here.
test-postgresql: .venv/ready debian-test
	PORTINERIA_TEST_DATABASE=postgresql $(BIN)/python -m pytest $(SPREAD) --reuse-db \
		-o cache_dir=.pytest_cache/postgresql $(or $(PYTEST),tests/unit/control tests/integration/control) || [ $$? -eq 5 ]

check: .venv/ready ## style, types, import contracts, translations, migrations, licences, known vulnerabilities
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target check-types check-rest

# Half of its time, on a core of its own.
check-types: .venv/ready
	$(BIN)/mypy src tests hatch_build.py scripts/translations.py scripts/protocols_reference.py scripts/supply_chain.py scripts/deployment.py scripts/offline_bundle.py \
		scripts/cli_reference.py scripts/documents_site.py

check-rest: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=src .venv/linter/bin/lint-imports
	$(BIN)/python scripts/translations.py check
	$(DJANGO) makemigrations --check --dry-run
	$(BIN)/python scripts/supply_chain.py licences
	$(BIN)/python scripts/supply_chain.py audit
	$(BIN)/python scripts/deployment.py check
	$(BIN)/python scripts/documents_site.py build/site

format: .venv/ready ## let ruff repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/ready ## the documents as a site, into build/site; read it: python3 -m http.server -d build/site
	$(BIN)/python scripts/documents_site.py build/site

pictures: .venv/ready debian-test ## take the documents' pictures of the real console anew, into docs/pictures
	$(BIN)/python -m pytest tests/browser/pictures.py -n 0 -q

messages: .venv/ready ## collect new texts into the translation files, then compile these
	$(BIN)/python scripts/translations.py update
	$(BIN)/python hatch_build.py

assets: .venv/ready ## browser libraries, icons and compiled translations, after a change to them
	$(BIN)/python hatch_build.py

dist: .venv/ready ## the wheel, its bill of materials (CycloneDX) and their hashes, into dist/
	rm -rf dist
	$(BIN)/python -m hatchling build -t wheel
	$(BIN)/python scripts/supply_chain.py licences --list >dist/licences.txt
	$(BIN)/python scripts/supply_chain.py sbom dist/portineria.cdx.json
	cd dist && sha256sum * >SHA256SUMS

bundle: .venv/ready ## dist/bundle: what installs Portineria without a network, with every hash, and the proof that it does
	$(BIN)/python scripts/offline_bundle.py make dist/bundle
	$(BIN)/python scripts/offline_bundle.py check dist/bundle

bench: .venv/ready debian-bench ## our figures beside our peers', into docs/performance.*; BENCH="wan" runs one group
	$(BIN)/python -m tests.bench $(BENCH)

deep: .venv/ready debian-test debian-bench ## what takes hours (fuzzing, an hour of churn, the bad line), into docs/deep.json; DEEP="soak"
	$(BIN)/python -m tests.deep $(DEEP)

clean: ## what was made here; the next verb makes it again
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf src/portineria/control/console/static/vendor
	find src tests scripts -name __pycache__ -prune -exec rm -rf {} +
	find src -name '*.mo' -delete

# What Debian must provide and does not is no reason to stop: what needs it says so.
debian-demo debian-test debian-bench: debian-%:
	@scripts/debian-packages $* || echo "Going on without; what needs them says so."

.venv/ready: pyproject.toml package.json package-lock.json hatch_build.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11; say which to take: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv is missing: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.13,<0.14"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable ".[server,nats,metrics,otel,timestamp,demo,docs,test]"
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv/linter
	$(BIN)/uv pip install --quiet --python .venv/linter/bin/python --group linter
	@touch $@
