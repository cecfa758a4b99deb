"""Settings of the sequence service: the groups that it needs, from one environment."""

from shared.engine.worker import WorkerSettings
from shared.settings import ModelSettings


class SequenceSettings(WorkerSettings, ModelSettings):
    """Database and worker, and models."""
