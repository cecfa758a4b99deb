"""The embedded stack's commands: `python -m infra.local up | down | status | logs NAME | psql`."""

import argparse
import sys
from pathlib import Path

from infra.local import commands
from infra.local.errors import StackError
from infra.local.state import StateDir


def _names(value: str) -> list[str]:
    return [name for name in value.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path, default=Path(".local"), metavar="DIR", help="where it is kept (.local)")
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    actions = parser.add_subparsers(dest="command", required=True)

    up = actions.add_parser("up", parents=[common], help="start the stack, or say where it runs")
    up.add_argument("--detach", action="store_true", help="return when it is ready instead of staying")
    up.add_argument("--services", type=_names, metavar="A,B", help="start only these services")
    up.add_argument("--report", type=int, help=argparse.SUPPRESS)  # a pipe to the `up --detach` that started this one
    for action in (
        up,
        actions.add_parser("down", parents=[common], help="stop it and wait until nothing of it runs"),
        actions.add_parser("status", parents=[common], help="say what runs; exit code 0 when all of it does"),
    ):
        action.add_argument("--json", action="store_true", help="print JSON")

    logs = actions.add_parser("logs", parents=[common], help="print the end of a process's log")
    logs.add_argument("name", help="postgres, relay, gateway, emulator, dispatcher, …, supervisor")
    logs.add_argument("-f", "--follow", action="store_true", help="and whatever is added")
    logs.add_argument("-n", "--lines", type=int, default=100, help="how many lines (100)")

    psql = actions.add_parser("psql", parents=[common], help="open the database; arguments after -- are psql's")
    psql.add_argument("arguments", nargs="*")
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    state = StateDir.at(arguments.state)
    match arguments.command:
        case "up":
            return commands.up(
                state, arguments.services, detach=arguments.detach, as_json=arguments.json, report=arguments.report
            )
        case "down":
            return commands.down(state, as_json=arguments.json)
        case "status":
            return commands.status(state, as_json=arguments.json)
        case "logs":
            return commands.logs(state, arguments.name, lines=arguments.lines, follow=arguments.follow)
        case _:
            return commands.psql(state, arguments.arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StackError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
