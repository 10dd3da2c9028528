# Every target works as the first command in a fresh clone.

PYTHON ?= python3
BIN := .venv/bin
# The GPU builds where an NVIDIA driver answers, else the CPU builds.
EXTRA := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
READY := .venv/ready-$(EXTRA)

.PHONY: demo test check audit bench clean

demo: $(READY)
	$(BIN)/icehouse demo
	@echo 'To have icehouse in this shell: source .venv/bin/activate'

test: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --cov --cov-fail-under=90 --durations=10

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive icehouse
	$(BIN)/python tools/check_wheel.py

# Asks a service about every pinned package; docs/security.md says why check does not call it.
audit:
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/pip install --quiet pip-audit==2.10.1
	.venv/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

bench: $(READY)
	for claim in benchmarks/[a-z]*.py; do echo "== $$claim"; $(BIN)/python $$claim || exit 1; done

clean:
	rm -rf .venv demo build dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

# torch comes first and by its pin, so that nothing pulls another build of it.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[$(EXTRA),dev]'
	touch $@
