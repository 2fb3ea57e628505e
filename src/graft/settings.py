"""Settings of the Kedro project."""

from graft.hooks import CommandCheckHook, RunSummaryHook

HOOKS = (CommandCheckHook(), RunSummaryHook())

# Kedro's own way of merging drops every parameter that an environment or the command line
# does not repeat.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
