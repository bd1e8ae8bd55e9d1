"""The command line."""

import argparse
import functools
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.quality import fastmri, m4raw
from benchmarks.quality.datasets import ABOUT, GROUPS, SPLITS, expand, open_dataset, why_not
from benchmarks.quality.evaluate import Job, Means
from benchmarks.quality.jobs import check_finished, list_jobs, result_path, work_through
from benchmarks.quality.origins import Sources, origin
from benchmarks.quality.progress import Watch
from benchmarks.quality.rows import ROWS, TABLES
from benchmarks.quality.write import write_tables
from kspace_denoise.training.config import TrainConfig

DESCRIPTION = """\
Run rows of the quality tables on a data set, then write the tables; what is finished is not done
again. `python -m benchmarks.quality table` only writes the tables, from finished results."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["table"]:
            return table(_table_parser().parse_args(arguments[1:]))
        return run(_run_parser().parse_args(arguments))
    except (ValueError, FileNotFoundError, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    """Do the jobs, then write the tables; return 1 if a job could not be done."""
    watch = Watch()
    jobs = _possible(options, watch)
    config = _config(options.config)
    names = list(dict.fromkeys(job.dataset for job in jobs))
    sources = Sources(options.work, options.folder, _lists(options))
    origins = {name: {split: origin(name, split, sources) for split in SPLITS} for name in names}
    _check_folder(names, sources)
    if options.list:
        for job in jobs:
            done = "done" if result_path(options.out, job).exists() else "open"
            print(f"{done}  {job.name}")
        return 0
    means = Means(options.work, config, options.device, watch, origins)
    check_finished(jobs, options.out, means)
    opened = functools.cache(lambda name: open_dataset(name, sources))
    failed = work_through(
        jobs,
        options.out,
        means,
        lambda job, means: opened(job.dataset).evaluate(job, means),
        watch.tell,
    )
    for path in write_tables(options.out, options.work, options.tables):
        watch.tell(f"wrote {path}")
    return 1 if failed else 0


def table(options: argparse.Namespace) -> int:
    """Make the tables again from finished results."""
    written = write_tables(options.out, options.work, options.tables)
    for path in written:
        print(path)
    if not written:
        print(f"error: {options.out} holds no results", file=sys.stderr)
    return 0 if written else 2


def _possible(options: argparse.Namespace, watch: Watch) -> list[Job]:
    """Return the jobs that the data sets allow, and tell of the others."""
    names = [name for given in options.methods for name in _rows(given)]
    jobs = list_jobs(_datasets(options), names, options.seeds, options.steps)
    reasons = {(job.dataset, job.row.name): why_not(job.dataset, job.row) for job in jobs}
    for (dataset, row), reason in reasons.items():
        if reason:
            watch.tell(f"{dataset}: no {row}: {reason}")
    return [job for job in jobs if reasons[job.dataset, job.row.name] is None]


def _datasets(options: argparse.Namespace) -> list[str]:
    """Return the data sets that are asked for.

    Raises:
        ValueError: if the paper's scoring is asked for where there is none.
    """
    if options.paper_scoring and options.dataset != "m4raw":
        raise ValueError("--paper-scoring belongs to m4raw; the others follow their papers as is")
    return ["m4raw-paper"] if options.paper_scoring else expand([options.dataset])


def _config(path: Path | None) -> TrainConfig:
    """Return the configuration of all rows, but for the length of their training.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no configuration, or says how long to train.
    """
    if path is None:
        return TrainConfig()
    if not path.is_file():
        raise FileNotFoundError(f"--config {path}: no such file")
    config = TrainConfig.from_toml(path)
    if config.steps is not None:
        raise ValueError(
            f"{path} holds steps = {config.steps}, but rows are trained for the steps of the "
            f"command: give --steps {config.steps} and leave them out of the file"
        )
    if config.minutes != TrainConfig().minutes:
        raise ValueError(
            f"{path} holds minutes, but rows are trained for a number of steps, so that a busy "
            "machine changes nothing: give --steps"
        )
    return config


def _check_folder(names: Iterable[str], sources: Sources) -> None:
    """Look whether the user's folder holds what the data sets need, before anything is done.

    Raises:
        FileNotFoundError, ValueError: as `m4raw.check` and `fastmri.check_apart`.
    """
    if sources.folder is None:
        return
    for check in dict.fromkeys(name.split("-")[0] for name in names):
        if check == "m4raw":
            m4raw.check(sources.folder, SPLITS)
        elif check == "fastmri":
            fastmri.check_apart(sources.folder, sources.lists)


def _rows(name: str) -> tuple[str, ...]:
    """Return the rows of a table, or a single row."""
    return (name,) if name in ROWS or name not in TABLES else TABLES[name].rows


def _lists(options: argparse.Namespace) -> dict[str, Sequence[str]]:
    """Return the file names of each split that was given as a list."""
    given = {"train": options.train_list, "test": options.test_list}
    return {split: fastmri.read_list(path) for split, path in given.items() if path}


def _run_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.quality",
        description=DESCRIPTION,
        epilog=_about(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    single = [name for group in GROUPS.values() for name in group]
    known = list(dict.fromkeys([*GROUPS, *single]))
    parser.add_argument(
        "dataset", choices=known, metavar="DATASET", help="one of those below, or the word table"
    )
    parser.add_argument("--folder", type=Path, help="of M4Raw or fastMRI")
    parser.add_argument("--paper-scoring", action="store_true", help="m4raw: take m4raw-paper")
    for split, use in (("train", "train on"), ("test", "score")):
        help_ = f"fastmri: text or CSV file with the names of the files to {use}"
        parser.add_argument(f"--{split}-list", type=Path, help=help_)
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["methods"],
        metavar="ROW",
        help=f"rows, or whole tables: {', '.join(TABLES)} (default: methods)",
    )
    _numbers(parser, "--seeds", [0, 1, 2], "of training, a job each")
    _numbers(parser, "--steps", [1500], "of training, a job for each number")
    parser.add_argument("--config", type=Path, help="TrainConfig as TOML, for all rows; no steps")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="show the jobs and do none")
    _folders(parser)
    return parser


def _about() -> str:
    """Return what the data sets are, a line or two each."""
    lines = ["data sets:"]
    for name, text in ABOUT.items():
        wrapped = textwrap.wrap(text, 72, break_on_hyphens=False)
        lines += [f"  {name:<22}{wrapped[0]}", *(f"{'':24}{line}" for line in wrapped[1:])]
    return "\n".join(lines)


def _numbers(parser: argparse.ArgumentParser, name: str, default: list[int], use: str) -> None:
    shown = " ".join(map(str, default))
    help_ = f"{use} (default: {shown})"
    parser.add_argument(name, nargs="+", type=int, default=default, metavar="N", help=help_)


def _table_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.quality table",
        description="Write the tables again from finished results, and compute nothing.",
    )
    _folders(parser)
    return parser


def _folders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="results (default: %(default)s)"
    )
    parser.add_argument("--tables", type=Path, help="where tables go (default: OUT/tables)")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("quality-cache"),
        help="data, denoisers, pictures, locks (default: %(default)s)",
    )
