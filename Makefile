# make demo | test | lint | bench | clean; each makes .venv first when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INSTALLED := $(VENV)/.installed
EXTRAS := [clip,owl,ros,phone,lerobot,view,rerun,sim,vlm,dev]
JOBS ?= 2

.PHONY: demo test browser lint bench clean distclean
.DELETE_ON_ERROR:

demo: $(READY)
	$(BIN)/spatialmem demo

test: lint browser
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

browser:
	sh tools/browser.sh

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(INSTALLED)
	$(BIN)/python benchmarks/run_all.py $(if $(QUICK),--quick)

$(READY): pyproject.toml constraints.txt tools/setup.sh
	sh tools/setup.sh "$(PYTHON)" "$(VENV)" ""
	touch $(READY)

$(INSTALLED): pyproject.toml constraints.txt tools/setup.sh
	sh tools/setup.sh "$(PYTHON)" "$(VENV)" "$(EXTRAS)"
	touch $(READY) $(INSTALLED)

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find spatialmem sim policies tests benchmarks examples tools -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
