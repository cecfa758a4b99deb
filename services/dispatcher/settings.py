"""The dispatcher's settings."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings

METADATA_IDENTITY_URL = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity"
Secret = Annotated[SecretStr, Field(min_length=16)]
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)


class DispatcherSettings(ServiceSettings):
    """From the environment.

    `webhook_secret_previous` is valid beside `webhook_secret` during a rotation. `worker_urls` is JSON, base URL by
    service. `sweep_interval_s` unset means that someone else calls `POST /sweep` (Cloud Scheduler does).
    `identity_token_url` is where deliveries get their identity tokens.

    Notices go by e-mail when there are `smtp_host` and `notices_from` (an address), and to Slack when there is
    `slack_webhook_url`; they link to `console_url` when there is one.
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
    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    notices_from: str | None = None
    slack_webhook_url: SecretStr | None = None
    console_url: str | None = None

    @model_validator(mode="after")
    def _cloud_tasks_is_complete(self) -> Self:
        needed = (self.google_cloud_project, self.cloud_tasks_location, self.cloud_tasks_invoker)
        if self.delivery == "cloud_tasks" and not all(needed):
            raise ValueError(
                "DELIVERY=cloud_tasks needs GOOGLE_CLOUD_PROJECT, CLOUD_TASKS_LOCATION and CLOUD_TASKS_INVOKER"
            )
        return self

    @model_validator(mode="after")
    def _mail_is_complete(self) -> Self:
        if self.smtp_host and not self.notices_from:
            raise ValueError("SMTP_HOST needs NOTICES_FROM, the address that notices come from")
        if self.notices_from and not _ADDRESS.fullmatch(self.notices_from):
            raise ValueError("NOTICES_FROM is not a plain address like notices@example.com")
        if bool(self.smtp_username) != bool(self.smtp_password):
            raise ValueError("SMTP_USERNAME and SMTP_PASSWORD belong together")
        if self.smtp_password and self.smtp_security == "none":
            raise ValueError("SMTP_SECURITY=none would send SMTP_PASSWORD in the clear")
        return self
