"""What the gateway reads from its environment."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """`DATABASE_URL` is the superuser's, as for Supabase's own servers; `SUPABASE_URL` is where clients reach us."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    database_url: str
    gateway_state_dir: Path
    supabase_url: str

    @property
    def issuer(self) -> str:
        """`iss` of the access tokens."""
        return f"{self.supabase_url.rstrip('/')}/auth/v1"
