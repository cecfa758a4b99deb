"""Settings of the blog service: the groups that it needs, from one environment."""

from shared.engine.worker import WorkerSettings
from shared.settings import FetchSettings, ModelSettings, SupabaseSettings


class BlogSettings(WorkerSettings, SupabaseSettings, ModelSettings, FetchSettings):
    """Database and worker, Storage, models, and how web pages are fetched."""
