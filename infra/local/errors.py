"""Why a stack does not come up. Each message is for the person who typed the command."""


class StackError(Exception):
    """Base of all of them."""


class StartError(StackError):
    """A process did not become ready. The message names it and holds the end of its log."""


class LaunchError(StackError):
    """A process could not be started at all."""


class PostgresError(StackError):
    """The cluster could not be created or did not start; the message holds what Postgres said."""


class MigrationError(StackError):
    """A migration failed and was rolled back; earlier ones stay applied. The message names the file and the reason."""


class AlreadyRunningError(StackError):
    """Another process runs the stack of this state directory."""


class UnknownServiceError(StackError):
    """A service was asked for that is not there; the message names those that are."""
