"""Settings that every service shares. A service adds its own in its `settings.py` or takes the groups below."""

from functools import cached_property
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What each service needs, read from the environment."""

    # What is wrong with a setting may be logged, its value not.
    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr
    service_name: str = "service"
    log_level: str = "INFO"
    google_cloud_project: str | None = None
    database_pool_size: int = 10


class SupabaseSettings(ServiceSettings):
    """For services that write files to Supabase Storage."""

    supabase_url: str
    supabase_service_key: SecretStr


class ModelSettings(BaseSettings):
    """Which models play which role, and where they are. With no API key, Vertex AI is used."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    gemini_api_key: SecretStr | None = None
    google_cloud_project: str | None = None
    google_cloud_location: str = "global"
    model_base_url: str | None = None
    model_text: str = "gemini-3.8-flash"
    model_search: str = "gemini-3.8-flash"
    model_image: str = "gemini-3-pro-image"
    model_embedding: str = "gemini-embedding-001"
    model_concurrency: int = 16

    @cached_property
    def by_role(self) -> dict[str, str]:
        """Model id by the role that a prompt names in its front matter."""
        return {
            "text": self.model_text,
            "search": self.model_search,
            "image": self.model_image,
            "embedding": self.model_embedding,
        }


class FetchSettings(BaseSettings):
    """How web pages are fetched.

    `fetch_static_hosts` maps a host name to "ip:port" like a hosts file: such a name is not looked up in DNS and is
    exempt from the rule that addresses must be global. `fetch_ca_file` is an extra certificate authority (PEM) beside
    the system's.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    fetch_static_hosts: dict[str, str] = {}
    fetch_ca_file: Path | None = None
