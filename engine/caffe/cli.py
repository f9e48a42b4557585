"""The `caffe` command, with Caffe's other tools as further commands: `caffe train --solver=FILE`, `caffe --help`.

Exit status: 0, 2 for what the user can put right, 1 for a failure, 130 for an interruption.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType

from caffe import flags as gflags
from caffe import glog_files
from caffe.errors import CaffeError
from caffe.flags import Flag

# command → its module in caffe.commands
COMMANDS = {
    "train": "train",
    "test": "score",
    "time": "benchmark",
    "device_query": "device_query",
    "convert_imageset": "convert_imageset",
    "compute_image_mean": "compute_image_mean",
    "extract_features": "extract_features",
    "upgrade_net_proto_text": "upgrade_net_proto_text",
    "upgrade_net_proto_binary": "upgrade_net_proto_binary",
    "upgrade_solver_proto_text": "upgrade_solver_proto_text",
}
# the commands of Caffe's own `caffe`, whose flags are one set there: what one does not use it takes all the same
CAFFES_OWN = ("train", "test", "time", "device_query")
_HELP = {"help": Flag(False, "show this and exit"), "h": Flag(False, "the same"),
         "version": Flag(False, "show the version and exit")}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    return _guarded("caffe", sys.argv[1:] if arguments is None else arguments)


def tool() -> int:
    """A console script that is named like its command: `convert_imageset …` is `caffe convert_imageset …`."""
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    return _guarded(name, [name, *sys.argv[1:]])


def _guarded(program: str, words: list[str]) -> int:
    try:
        return _run(program, words)
    except CaffeError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        if os.environ.get("CAFFE_TRACEBACK"):
            raise
        text = " ".join(str(error).split())
        print(f"{program}: failure: {type(error).__name__}: {text} (CAFFE_TRACEBACK=1 shows where)", file=sys.stderr)
        return 1


def _run(program: str, words: list[str]) -> int:
    modules = {name: _module(name) for name in COMMANDS}
    everything = {**glog_files.FLAGS, **_HELP}
    for module in modules.values():
        everything.update(module.FLAGS)
    parsed = gflags.parse(words, everything)
    if parsed.values["version"]:
        print("caffe version 1.0.0 (on PyTorch)")
        return 0
    asked = bool(parsed.values["help"] or parsed.values["h"])
    if not parsed.arguments:
        print(_overview(), file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    command, *rest = parsed.arguments
    if command not in COMMANDS:
        near = gflags.nearest(command, COMMANDS)
        raise CaffeError(f"unknown command '{command}'" + (f": did you mean {near}?" if near else "; see caffe --help"))
    module = modules[command]
    if asked:
        print(_help(program, command, module))
        return 0
    known = {**glog_files.FLAGS, **module.FLAGS}
    if command in CAFFES_OWN:
        for name in CAFFES_OWN:
            known.update(modules[name].FLAGS)
    for name in parsed.given:
        if name not in known:
            raise gflags.unknown(name, known)
    least, most = module.ARGUMENTS if hasattr(module, "ARGUMENTS") else (0, 0)
    if not least <= len(rest) <= most:
        raise CaffeError(f"{command} takes {module.USAGE}; it was given {len(rest)} argument(s) besides flags")
    quiet = getattr(module, "LOG_LEVEL", 0)
    with glog_files.logging_to_files(program, parsed.values, quiet):
        return module.run({name: parsed.values[name] for name in known}, rest) or 0


def _module(command: str) -> ModuleType:
    return import_module(f"caffe.commands.{COMMANDS[command]}")


def _overview() -> str:
    rows = "\n".join(f"  {name:26} {_module(name).__doc__}" for name in COMMANDS)
    return ("Caffe's command, on PyTorch.\n\nusage: caffe COMMAND FLAGS…\n\ncommands:\n"
            f"{rows}\n\n`caffe COMMAND --help` says more about each.")


def _help(program: str, command: str, module: ModuleType) -> str:
    name = command if program == command else f"{program} {command}"
    return (f"usage: {name} {module.USAGE}\n\n{name}: {module.__doc__}\n\n"
            f"{gflags.describe({**module.FLAGS, **glog_files.FLAGS})}\n\nFlags may be written -flag VALUE, --flag "
            "VALUE or --flag=VALUE, a switch also --noflag; --flagfile=FILE reads them from a file.")


if __name__ == "__main__":
    sys.exit(main())
