"""The command line."""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.quality import fastmri
from benchmarks.quality.datasets import GROUPS, SPLITS, expand, open_dataset, why_not
from benchmarks.quality.evaluate import Job, Means
from benchmarks.quality.jobs import check_finished, list_jobs, result_path, work_through
from benchmarks.quality.origins import Sources, origin
from benchmarks.quality.progress import Watch
from benchmarks.quality.rows import ROWS, TABLES
from benchmarks.quality.write import write_tables
from kspace_denoise.training.config import TrainConfig

DESCRIPTION = "Run rows of the quality tables on a data set; what is finished is not done again."


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
    if options.list:
        for job in jobs:
            done = "done" if result_path(options.out, job).exists() else "open"
            print(f"{done}  {job.name}")
        return 0
    config = TrainConfig() if options.config is None else TrainConfig.from_toml(options.config)
    sources = Sources(options.work, options.folder, _lists(options))
    names = dict.fromkeys(job.dataset for job in jobs)
    origins = {name: {split: origin(name, split, sources) for split in SPLITS} for name in names}
    if options.folder and any(name.startswith("fastmri") for name in names):
        fastmri.check_apart(options.folder, sources.lists)
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


def _rows(name: str) -> tuple[str, ...]:
    """Return the rows of a table, or a single row."""
    return (name,) if name in ROWS or name not in TABLES else TABLES[name].rows


def _lists(options: argparse.Namespace) -> dict[str, Sequence[str]]:
    """Return the file names of each split that was given as a list."""
    given = {"train": options.train_list, "test": options.test_list}
    return {split: fastmri.read_list(path) for split, path in given.items() if path}


def _run_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.quality", description=DESCRIPTION)
    single = [name for group in GROUPS.values() for name in group]
    parser.add_argument("dataset", choices=dict.fromkeys([*GROUPS, *single]))
    parser.add_argument("--folder", type=Path, help="of M4Raw or fastMRI")
    parser.add_argument(
        "--paper-scoring",
        action="store_true",
        help="m4raw: magnitudes scaled to [0, 1] slice by slice, against the mean of all",
    )
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
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", nargs="+", type=int, default=[1500])
    parser.add_argument("--config", type=Path, help="TrainConfig as TOML, for all rows")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--list", action="store_true", help="show the jobs and do none")
    _folders(parser)
    return parser


def _table_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.quality table")
    _folders(parser)
    return parser


def _folders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("results"), help="results")
    parser.add_argument("--tables", type=Path, help="where tables go (default: OUT/tables)")
    parser.add_argument(
        "--work", type=Path, default=Path("quality-cache"), help="data, denoisers, pictures, locks"
    )
