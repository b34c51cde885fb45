# The verbs of this project. Each sets up .venv by itself where it is missing.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14,$(shell $(p) -c 'import sys; print("$(p)") if sys.version_info >= (3, 11) else None' 2>/dev/null)))
VENV := .venv
SETUP := $(VENV)/.ready

.PHONY: demo test check format lock clean

demo: $(SETUP)   ## Rotate real credentials on this machine and watch it
	@$(VENV)/bin/python -m demo

test: $(SETUP)   ## Every test that this machine can run; some of them: make test ARGS=tests/unit
	@$(VENV)/bin/python -m pytest $(ARGS)

check: $(SETUP)  ## Lint, format, types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(SETUP) ## Let ruff put the code in order
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

lock: $(SETUP)   ## Pin what rotators/*/requirements.in and requirements-dev.in ask for, with hashes
	for f in rotators/*/requirements.in requirements-dev.in; do \
	  $(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header $$f -o $${f%.in}.txt || exit 1; \
	done

clean:           ## Remove what the verbs made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# pip installs uv by the hash in the lock file, uv installs the rest by theirs (4 s instead of 70 s).
$(SETUP): requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Keyturn needs Python 3.11 or later: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) …" >&2
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/# via/p' requirements-dev.txt >$(VENV)/uv.txt
	@$(VENV)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(VENV)/bin/uv pip install -q --python $(VENV)/bin/python --require-hashes -r requirements-dev.txt
	@touch $@
