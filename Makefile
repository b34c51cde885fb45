# The verbs of this project. Each sets up .venv by itself where it is missing.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14,$(shell $(p) -c 'import sys; print("$(p)") if sys.version_info >= (3, 11) else None' 2>/dev/null)))
VENV := .venv
SETUP := $(VENV)/.ready

# The functions: a logical id of template.yaml = its folder in rotators/, and those that it shares with others.
PostgresRotator := postgres libpq
MySqlRotator := mysql
RedshiftRotator := redshift libpq
DocumentDbRotator := documentdb
ApiKeyRotator := api_key

# The section of samconfig.toml, for several stacks.
STACK ?= default
export STACK
# The template has Fn::ForEach, which `sam` reads when it is told to.
export SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS := 1

.PHONY: demo test proof verify-redshift check format lock clean local build build-local deploy destroy

demo: $(SETUP)   ## Rotate real credentials on this machine and watch it; TARGET=mysql, or mariadb, where there is one, or api_key
	@$(VENV)/bin/python -m demo $(TARGET)

test: $(SETUP)   ## Every test that this machine can run, on two cores; some of them: make test ARGS=tests/unit
	@$(VENV)/bin/python -m pytest $(or $(ARGS),-n 2)

proof: $(SETUP)  ## Every proof, whole, on every server there is: hours; docs/reliability.md of what it measured; a part: make proof ARGS="…"
	@mkdir -p .proof
	@WHOLE=1 FIGURES=.proof $(VENV)/bin/python -m pytest $(or $(ARGS),-n 2 tests/proof tests/packaged/test_crash_matrix.py); failed=$$?; \
	  $(VENV)/bin/python -m scripts.reliability .proof && exit $$failed

verify-redshift: $(SETUP)  ## What the stand-in cannot prove, on a cluster of yours: HOST=… ADMIN_SECRET=… (rotators/redshift/README.md)
	@$(VENV)/bin/python -m scripts.verify_redshift $(ARGS)

check: $(SETUP)  ## Lint, format, types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(SETUP) ## Let ruff put the code in order
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

local: $(SETUP)  ## A secret, a simulated Secrets Manager and a server for `sam local invoke`, step by step; TARGET=mysql, redshift, documentdb, api_key
	@$(VENV)/bin/python -m demo.local $(TARGET)

build: $(SETUP)  ## The functions for Lambda, into .aws-sam/build; needs neither Docker nor Lambda's Python
	@for="$$($(VENV)/bin/python -m scripts.artifacts sam)" && \
	  $(VENV)/bin/sam build --config-env $(STACK) --build-in-source $(ARGS) --parameter-overrides "$$for"

build-local: $(SETUP)  ## The functions for this machine's own interpreter, into .aws-sam/local
	@BUILD_FOR_THIS_MACHINE=1 $(VENV)/bin/sam build --build-dir .aws-sam/local $(ARGS)

# The AWS CLI reads AWS_REGION; SAM and boto3 do not.
ifdef AWS_REGION
deploy destroy: export AWS_DEFAULT_REGION := $(AWS_REGION)
endif

deploy: $(SETUP) ## What make build has built, as samconfig.toml says; the first time it asks what to write there, and builds
	@$(VENV)/bin/python -m scripts.guide --config-env $(STACK) $(ARGS)
	@$(VENV)/bin/python -m scripts.artifacts check --config-env $(STACK) $(ARGS)
	@$(VENV)/bin/sam deploy --config-env $(STACK) $(ARGS)
	@$(VENV)/bin/python -m scripts.stack next --config-env $(STACK) $(ARGS)

destroy: $(SETUP) ## Say what stays, then delete the stack, which asks
	@$(VENV)/bin/python -m scripts.stack destroy --config-env $(STACK) $(ARGS)

# `sam build` calls this for each function, by BuildMethod makefile, with ARTIFACTS_DIR set. (Not phony: make would skip
# a pattern rule that is.) Lambda's own boto3 brings jmespath, so the requirements leave it out; hence --no-deps.
build-%: $(SETUP)
	@test -d rotators/$(or $(firstword $($*)),?) -a -n "$(ARTIFACTS_DIR)" || { echo "sam build calls this; call: make build" >&2; exit 1; }
	@if [ -n "$$BUILD_FOR_THIS_MACHINE" ]; then for="--python $(VENV)/bin/python"; else for="$$($(VENV)/bin/python -m scripts.artifacts uv)"; fi && \
	  $(VENV)/bin/uv pip install -q --target "$(ARTIFACTS_DIR)" --require-hashes --no-deps --only-binary :all: $$for -r rotators/$(firstword $($*))/requirements.txt && \
	  $(VENV)/bin/python -m scripts.artifacts prune "$(ARTIFACTS_DIR)"
	@mkdir -p "$(ARTIFACTS_DIR)/rotators"
	@cp -R common "$(ARTIFACTS_DIR)" && cp -R rotators/__init__.py $(addprefix rotators/,$($*)) "$(ARTIFACTS_DIR)/rotators"
	@cd "$(ARTIFACTS_DIR)" && rm -rf .lock bin rotators/*/README.md rotators/*/requirements.* && find . -name __pycache__ -prune -exec rm -rf {} +

# The watch is no rotator: it brings Powertools and no driver, and nothing of common/.
build-OverdueWatch: $(SETUP)
	@test -n "$(ARTIFACTS_DIR)" || { echo "sam build calls this; call: make build" >&2; exit 1; }
	@if [ -n "$$BUILD_FOR_THIS_MACHINE" ]; then for="--python $(VENV)/bin/python"; else for="$$($(VENV)/bin/python -m scripts.artifacts uv)"; fi && \
	  $(VENV)/bin/uv pip install -q --target "$(ARTIFACTS_DIR)" --require-hashes --no-deps --only-binary :all: $$for -r watch/requirements.txt
	@cp -R watch "$(ARTIFACTS_DIR)"
	@cd "$(ARTIFACTS_DIR)" && rm -rf .lock bin watch/requirements.* && find . -name __pycache__ -prune -exec rm -rf {} +

lock: $(SETUP)   ## Pin what rotators/*/requirements.in, watch's, tests/deploy's and requirements-dev.in ask for, with hashes
	for f in rotators/*/requirements.in watch/requirements.in tests/deploy/*.in requirements-dev.in; do \
	  except=; case $$f in rotators/*|watch/*) except="--no-emit-package jmespath" ;; esac; \
	  $(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header $$except $$f -o $${f%.in}.txt || exit 1; \
	done

clean:           ## Remove what the verbs made
	rm -rf $(VENV) .aws-sam .proof .pytest_cache .mypy_cache .ruff_cache .hypothesis

# pip installs uv by the hash in the lock file, uv installs the rest by theirs (4 s instead of 70 s).
$(SETUP): requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Keyturn needs Python 3.11 or later: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) …" >&2
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/# via/p' requirements-dev.txt >$(VENV)/uv.txt
	@$(VENV)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(VENV)/bin/uv pip install -q --python $(VENV)/bin/python --require-hashes -r requirements-dev.txt
	@touch $@

# What tests/deploy scans template.yaml with (checkov) and deploys it to (ministack): each in an environment of its own, as
# they pin what the project has in other versions.
$(VENV)/%/.ready: tests/deploy/requirements-%.txt $(SETUP)
	@rm -rf $(@D) && $(VENV)/bin/uv venv -q --python $(VENV)/bin/python $(@D)
	@$(VENV)/bin/uv pip install -q --python $(@D)/bin/python --require-hashes -r $<
	@touch $@
