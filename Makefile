# `make run` starts the app, `make test` passes the tests; each creates what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OVERRIDE := $(BIN)/python -m pip install --quiet --no-deps --requirement requirements-overrides.txt

.PHONY: run test lint clean

run: $(VENV)/installed
	$(BIN)/python app.py $(ARGS)

# Half of the time the tests wait for processes and pages of their own, so some at a time pay.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A venv without its mark is one whose installation broke off: pip can't mend it, so it goes.
$(VENV)/installed: requirements.txt requirements-overrides.txt
	@[ -e $@ ] || rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(OVERRIDE)
	touch $@

$(VENV)/installed-dev: requirements-dev.txt requirements-ray.txt requirements-loadgen.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	$(OVERRIDE)
	touch $@

clean:
	rm -rf $(VENV)
