"""What makes an output fresh or stale, who may write it, and what a run leaves on record.

An output is *fresh* while the recipe it was made by is the recipe of today and its files hold
what was written then. ``kedro run`` makes what is stale and skips what is fresh, by Kedro's own
``--only-missing-outputs``: a stale output counts as missing.
"""

from graft.caching.manifest import ManifestHook
from graft.caching.run_hook import CachingHook
from graft.caching.runner import FreshCatalog

__all__ = ["CachingHook", "FreshCatalog", "ManifestHook"]
