# `make run` and `make test` work on a bare clone with Python 3.11 or newer.
PYTHON ?= python3
BIN = .venv/bin
TOOLS = .venv build .viz .pytest_cache .mypy_cache .ruff_cache .hypothesis

# What is installed is compiled when it is first imported, and that is kept, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

# What is asked of TensorFlow is asked of JAX too where it is quickly told.
ON_BOTH = tests/search/test_head_trials.py tests/models/test_augmentation.py \
	tests/models/test_inference.py tests/training/test_learning_rate_finder.py \
	tests/training/test_repeated_training.py

.PHONY: run test test-on-tensorflow test-on-jax test-slow docs viz tensorboard lint benchmarks clean clean-all

run: .venv/.installed ## Train and test a classifier of handwritten digits
	@$(BIN)/kedro run

test: .venv/.installed-test ## Check style and types, run all tests
	@$(MAKE) --no-print-directory --jobs=3 lint test-on-tensorflow test-on-jax

test-on-tensorflow: .venv/.installed-test
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

# Beside the others, and told when it has ended.
test-on-jax: .venv/.installed-test
	@told=$$(KERAS_BACKEND=jax $(BIN)/python -m pytest -q tests/on_jax $(ON_BOTH) 2>&1); \
	code=$$?; echo "$$told"; exit $$code

# What is a property of splits holds for ten times the examples.
PROPERTIES = tests/pipelines/splitting tests/pipelines/test_known_pictures.py

test-slow: .venv/.installed-test ## Run the tests that take minutes or the network
	@GRAFT_EXAMPLES=10 $(BIN)/python -m pytest $(PROPERTIES)
	@$(BIN)/python -m pytest -m slow

lint: .venv/.installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy benchmarks

docs: .venv/.installed-test ## Build the pages of docs/ and of all that is public into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "Open build/site/index.html"

viz: .venv/.installed-test ## Show the pipeline in a browser
	@$(BIN)/kedro viz run

tensorboard: .venv/.installed ## Show what trainings wrote for TensorBoard in a browser
	@$(BIN)/tensorboard --logdir data/08_reporting

benchmarks: .venv/.installed-test ## Measure the numbers of benchmarks/README.md
	@$(BIN)/python benchmarks/run.py

# Who was in test, and how often test was looked at, cannot be made anew: without them, yesterday's
# test pictures would be trained on tomorrow. The hidden files beside them are their receipts.
MADE = -path 'data/0[2-8]_*'
LASTING = -name splits.parquet -o -name test_evaluations.json
RECEIPTS = -name '.splits.parquet.*' -o -name '.test_evaluations.json.*'

clean: ## Remove what can be made anew, the environment included; splits, looks at test and data/01_raw stay
	rm -rf $(TOOLS)
	@find data $(MADE) -type f ! \( $(LASTING) -o $(RECEIPTS) \) -exec rm -f {} +
	@find data -depth $(MADE) -type d -empty -exec rmdir {} \;
	@find data $(MADE) -type f \( $(LASTING) \) -exec \
		echo "Kept, for it cannot be made anew (make clean-all removes it too):" {} \;

clean-all: ## Remove everything that was made, splits and records of runs included; data/01_raw stays
	rm -rf $(TOOLS) data/0[2-8]_* mlruns mlflow.db

.venv/bin/python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "Graft needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

# uv installs in seconds what takes pip minutes, from where pip would. Where it cannot (an index
# that only pip's settings tell how to reach), pip does. The stamps make a second call quick; a
# change of the dependencies installs again.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
INDEX = $${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}}
UV = UV_DEFAULT_INDEX="$(INDEX)" UV_SYSTEM_CERTS=true $(BIN)/uv pip install --quiet \
	--python $(BIN)/python -c constraints.txt
TEST_EXTRAS = test,viz,mlflow,docs
define install
	@$(PIP) uv && $(UV) -e ".[$(1)]" || { echo "uv could not install: pip does, in minutes"; $(PIP) -e ".[$(1)]"; }
endef

.venv/.installed: .venv/bin/python pyproject.toml constraints.txt
	$(call install,train)
	@touch $@

.venv/.installed-test: .venv/bin/python pyproject.toml constraints.txt
	$(call install,$(TEST_EXTRAS))
	@touch $@ .venv/.installed
