"""Settings of the Kedro project."""

from importlib.util import find_spec

from graft.caching import CachingHook, FreshCatalog, ManifestHook
from graft.datasets.shared_models import SharedModelsHook
from graft.hooks import CommandCheckHook, RunSummaryHook
from graft.pipeline_registry import add_makers
from graft.shared_values import SharedValuesHook

DATA_CATALOG_CLASS = FreshCatalog
HOOKS: tuple[object, ...] = (
    CommandCheckHook(),
    SharedValuesHook(),
    RunSummaryHook(),
    ManifestHook(),
    CachingHook(add_makers),
    SharedModelsHook(),
)
if find_spec("mlflow"):
    from graft.tracking import TrackingHook

    # Hooks are called from the last to the first: the record comes after the manifest.
    HOOKS = (TrackingHook(), *HOOKS)

# Kedro's own way of merging drops every parameter that an environment or the command line
# does not repeat.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
