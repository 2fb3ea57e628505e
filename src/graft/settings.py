"""Settings of the Kedro project."""

import warnings
from importlib.util import find_spec

from graft.caching import CachingHook, FreshCatalog, ManifestHook
from graft.datasets.row_shards import WorkersHook
from graft.datasets.shared_models import SharedModelsHook
from graft.hooks import CommandCheckHook, RunSummaryHook
from graft.pipeline_registry import add_upstream
from graft.shared_values import SharedValuesHook
from graft.sources.stores import close_archives
from graft.text_values import TextKeepingConfigLoader

# A candidate's data sets carry its name before a dot, for whoever reads them too.
warnings.filterwarnings("ignore", message="One or more dataset names contain '.'")

DATA_CATALOG_CLASS = FreshCatalog
HOOKS: tuple[object, ...] = (
    CommandCheckHook(),
    SharedValuesHook(),
    RunSummaryHook(),
    WorkersHook(),
    ManifestHook(),
    CachingHook(add_upstream, at_end=close_archives),
    SharedModelsHook(),
)
if find_spec("mlflow"):
    from graft.tracking import TrackingHook

    # Hooks are called from the last to the first: the record comes after the manifest.
    HOOKS = (TrackingHook(), *HOOKS)

CONFIG_LOADER_CLASS = TextKeepingConfigLoader
# Kedro's own way of merging drops every parameter that an environment or the command line
# does not repeat.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
