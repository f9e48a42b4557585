"""`ethocaffe annotate`: the annotation tool of some datasets, for a browser."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("datasets", metavar="DATASET", nargs="*", help="each a project: videos/ and classes.txt")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="default: %(default)s; 0: a free one")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="NAME", help="where to be reached; default: from this computer alone"
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="default: annotation/annotation.sqlite in the first dataset; or postgresql://user@host/name",
    )
    parser.add_argument(
        "--predictions",
        metavar="DIR",
        help="what `ethocaffe predict` wrote: shown beside the labels of videos of these names, to be corrected",
    )
    parser.add_argument(
        "--projects", metavar="DIR", help="where administrators may make new projects in the page, a folder each"
    )
    parser.add_argument(
        "--most-gb", type=gigabytes, default=4.0, metavar="GB", help="of a video that comes in; default: %(default)s"
    )
    parser.add_argument("--invite", action="store_true", help="print a link for another administrator, and end")
    parser.add_argument("--reset-password", metavar="NAME", help="print a new password for somebody, and end")
    parser.add_argument("--quiet", action="store_true", help="print errors only, and the first link")


def run(args: argparse.Namespace) -> int:
    from annotation import server

    database = server.open_database(args.datasets, args.projects, args.database)
    if args.invite:
        return server.invite(database)
    if args.reset_password:
        return server.reset_password(database, args.reset_password)
    return server.serve(
        database, args.datasets, args.host, args.port, args.quiet, args.predictions, args.projects, args.most_gb
    )


def gigabytes(text: str) -> float:
    value = float(text)
    if not 0 < value < 10_000:
        raise ValueError
    return value
