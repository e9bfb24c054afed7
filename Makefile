# make site    set up and build site/
# make test    set up (with two browsers and an HTML checker) and run all tests
# make serve   look at site/ on http://127.0.0.1:8000/
# make demo    generate a clip with Neon on this computer, and build site/ with it (needs make lab's)
# make lab     what the lab needs, too: torch and diffusers (large); tests of it skip without
# make check   format, lint, types and tests
# make lock    refresh the locked dependencies
# make golden  refresh tests/golden/ after a wanted change of the pages
# make licences  write docs/licences.md anew after a change of dependencies
# make release  write a wheel and a source archive to dist/
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
MARKS ?=

.PHONY: site demo lab test serve check lint format lock docs golden browser licences release clean

site: $(VENV)/.base
	$(BIN)/python -m generator build $(ARGS)

# Looks for the weights before it installs anything. A second call makes nothing anew.
demo: weights/neon/config.json $(VENV)/.lab
	$(BIN)/python -m generator generate --pipeline neon --prompt cyberpunk-detective \
	  --steps 4 --seconds 2
	$(BIN)/python -m generator build
	@echo "Generated on this computer: run 'make serve', then open"
	@echo "  http://127.0.0.1:8000/clips/own-neon-2s--cyberpunk-detective-512x288-4/"

weights/neon/config.json:
	@echo "$@ is missing: this checkout holds no weights of Neon, and nothing can be generated" >&2
	@echo "without. docs/neon.md says how it was trained." >&2
	@exit 1

lab: $(VENV)/.dev $(VENV)/.lab

test: $(VENV)/.dev browser
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --ignore tests/browser tests $(MARKS)
	$(BIN)/python -m pytest -q tests/browser $(MARKS)

serve: site
	$(BIN)/python -m generator serve

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.base
	$(BIN)/python -m generator.catalogue.reference > docs/content.md

licences: $(VENV)/.dev
	$(BIN)/python release/licences.py > $(VENV)/licences.md
	mv $(VENV)/licences.md docs/licences.md

release: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python release/pack.py dist

golden: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/test_golden.py --refresh-golden

browser: $(VENV)/.dev
	@$(BIN)/python tests/chromium.py --install
	@$(BIN)/python tests/validator.py --install
	@$(BIN)/python tests/firefox.py --install

lock: $(VENV)/.dev
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml \
	  -o requirements-dev.lock

$(VENV)/.base: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is older than 3.11: name another with make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements-dev.lock
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.lab: $(VENV)/.base
	$(BIN)/pip install -q --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install -q --disable-pip-version-check -e '.[lab]'
	@touch $@

clean:
	rm -rf site .cache
