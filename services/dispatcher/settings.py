"""The dispatcher's settings."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings

METADATA_IDENTITY_URL = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity"
Secret = Annotated[SecretStr, Field(min_length=16)]


class DispatcherSettings(ServiceSettings):
    """From the environment.

    `webhook_secret_previous` is valid beside `webhook_secret` during a rotation. `worker_urls` is JSON, base URL by
    service. `sweep_interval_s` unset means that someone else calls `POST /sweep` (Cloud Scheduler does).
    `identity_token_url` is where deliveries get their identity tokens.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True)

    service_name: str = "dispatcher"
    database_pool_size: int = 4
    webhook_secret: Secret
    webhook_secret_previous: Secret | None = None
    sweep_interval_s: float | None = Field(default=None, gt=0)
    delivery: Literal["http", "cloud_tasks"] = "http"
    worker_urls: dict[str, str]
    identity_token_url: str = METADATA_IDENTITY_URL
    cloud_tasks_location: str | None = None
    cloud_tasks_invoker: str | None = None

    @model_validator(mode="after")
    def _cloud_tasks_is_complete(self) -> Self:
        needed = (self.google_cloud_project, self.cloud_tasks_location, self.cloud_tasks_invoker)
        if self.delivery == "cloud_tasks" and not all(needed):
            raise ValueError(
                "DELIVERY=cloud_tasks needs GOOGLE_CLOUD_PROJECT, CLOUD_TASKS_LOCATION and CLOUD_TASKS_INVOKER"
            )
        return self
