# make demo · quick · test · pytest · lint · fuzz · ui · server · audit
PYTHON ?= python3
BIN := .venv/bin
# threads that wait give their core away
PYTEST := OMP_WAIT_POLICY=passive $(BIN)/python -m pytest --dist worksteal

.PHONY: demo quick test pytest lint fuzz ui server audit clean

demo: .venv/demo.stamp ## six points side by side, in four to six minutes
	$(BIN)/python -m asr_scaling -m model=whisper_tiny_en,wav2vec2 batch=1,8,16

quick: lint ## lint, types, and the tests but for those marked slow: two minutes on 2 cores
	$(PYTEST) -q -n 2 -m 'not slow'

test: lint pytest ## lint, types, tests; --jobs 2 has them side by side

pytest: .venv/dev.stamp ## three at a time, since many wait
	$(PYTEST) -n 3 --durations 25

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: .venv/dev.stamp ## ten times as many hostile files, records and command lines as the tests draw, and at random
	ASR_SCALING_FUZZ=10 $(BIN)/python -m pytest tests/fuzz -n 2 --dist worksteal

ui: .venv/demo.stamp ## the results in MLflow, on http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --workers 1 --backend-store-uri sqlite:///mlflow.db

server: .venv/server.stamp ## MLflow with PostgreSQL and a login, for a team; docs/server.md
	BIN=$(BIN) scripts/server.sh

audit: .venv/dev.stamp ## known vulnerabilities of what is installed, asked of OSV
	test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && .venv-audit/bin/pip install --quiet pip-audit; }
	$(BIN)/python -m pip freeze --exclude-editable > .venv-audit/installed.txt
	.venv-audit/bin/pip-audit --vulnerability-service osv --no-deps --disable-pip -r .venv-audit/installed.txt

.venv/demo.stamp: pyproject.toml constraints.txt
	$(call install,offline$(comma)engines)
	touch $@

.venv/dev.stamp: pyproject.toml constraints.txt
	$(call install,dev)
	$(PIP) --quiet --no-deps Resemblyzer==0.1.4 # its metadata asks for what a present Python can't install
	touch $@ .venv/demo.stamp .venv/server.stamp

.venv/server.stamp: pyproject.toml constraints.txt
	$(call install,server)
	touch $@

# uv where it is installed: it takes a third of pip's time; it compiles as pip does
export UV_COMPILE_BYTECODE ?= 1
PIP := $(if $(shell command -v uv),uv pip install --python $(BIN)/python,$(BIN)/python -m pip install)
comma := ,
define install
test -x $(BIN)/python || $(PYTHON) -m venv .venv
$(PIP) --quiet -c constraints.txt -e '.[$(1)]'
endef

clean:
	rm -rf .venv .venv-audit build dist
