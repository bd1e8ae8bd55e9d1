"""What `info` says of a denoiser, or of the checkpoint of a training run."""

from pathlib import Path
from typing import Any

from kspace_denoise.training.checkpoint import read_tensors

SUFFIXES = (".safetensors", ".checkpoint")


def is_model(file: Path) -> bool:
    """Tell whether a file is a denoiser or a checkpoint: by its name, or by how it begins."""
    if file.suffix.lower() in SUFFIXES:
        return True
    if not file.is_file():
        return False
    with file.open("rb") as opened:  # the length of a header, then JSON
        return opened.read(9)[8:] == b"{"


def describe_model(file: Path) -> dict[str, Any]:
    """Return what a denoiser is and how it was trained, by name.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it was not written by this package.
    """
    tensors, record = read_tensors(file)
    if "volumes" in record:
        return _describe_volumes(record, sum(tensor.numel() for tensor in tensors.values()))
    if "method" not in record:
        return _describe_checkpoint(record)
    config, trained = record["config"], record["record"]
    made_by = trained.get("provenance", {})
    weights = sum(tensor.numel() for tensor in tensors.values())
    return {
        "content": "denoiser",
        "method": record["method"] + (", as in its paper" if config["paper"] else ""),
        "stage": record["stage"],
        "images": "complex" if record["channels"] == 2 else "magnitude",
        "contrasts": trained.get("contrasts") or None,
        "domain": config["domain"],
        "vst": config["vst"] or None,
        "network": config["network"]["architecture"],
        "weights": weights,
        "objective": config["objective"] or None,
        "hole": trained.get("hole"),
        "noise_correlation": _neighbours(trained),
        "drawing_error": _course(trained.get("noise_share")),
        "other_networks": _others(trained.get("networks", {})),
        "steps": trained.get("steps"),
        "seconds": round(trained["seconds"], 1) if "seconds" in trained else None,
        "seed": trained.get("seed"),
        "trained_on": [one["path"] for one in made_by.get("inputs", [])] or None,
        "made_by": made_by.get("command"),
        "version": trained.get("version"),
    }


def _neighbours(trained: dict[str, Any]) -> str | None:
    """Return how the noise of pixels one apart is correlated, and what told that."""
    if not trained.get("correlation"):
        return None
    down, across = trained["correlation"]
    told_by = trained.get("correlation_told_by", "flat areas of the images")
    return f"{down[1]:.2f} down, {across[1]:.2f} across, told by {told_by}"


def _course(seen: list[dict[str, float]] | None) -> str | None:
    """Return how the estimated error of what is drawn went, over that of the noisy image."""
    if not seen:
        return None
    best = min(seen, key=lambda look: look["error"])
    errors = ", ".join(f"{look['error']:.2f}" for look in seen)
    return (
        f"{errors} times that of the noisy image; least at step {best['step']:.0f}, where "
        f"{best['noise_share']:.0%} of the noise came back"
    )


def _others(networks: dict[str, Any]) -> str | None:
    told = (f"{name}, {one['steps']} steps" for name, one in networks.items())
    return "; ".join(told) or None


def _describe_volumes(record: dict[str, Any], weights: int) -> dict[str, Any]:
    """Return what a denoiser of diffusion scans is."""
    config, trained, settings = record["config"], record["record"], record["settings"]
    made_by = trained.get("provenance", {})
    return {
        "content": "denoiser of a diffusion scan",
        "method": record["volumes"] + (", as in its paper" if config["paper"] else ""),
        "shells": ", ".join(f"b = {bval:g}, told from {n} others" for bval, n in record["shells"]),
        "third_stage": settings["diffusion"],
        "noise": trained.get("noise"),
        "network": config["network"]["architecture"],
        "weights": weights,
        "objective": config["objective"] or None,
        "steps": trained.get("steps"),
        "seconds": round(trained["seconds"], 1) if "seconds" in trained else None,
        "seed": made_by.get("seed"),
        "trained_on": [one["path"] for one in made_by.get("inputs", [])] or None,
        "made_by": made_by.get("command"),
        "version": trained.get("version"),
    }


def _describe_checkpoint(record: dict[str, Any]) -> dict[str, Any]:
    identity, progress = record.get("identity", {}), record.get("progress", {})
    config = identity.get("config", {})
    return {
        "content": "checkpoint of an unfinished training run",
        "method": identity.get("objective", {}).get("name"),
        "network": config.get("network", {}).get("architecture"),
        "steps": progress.get("step"),
        "of_steps": progress.get("steps"),
        "seconds": round(progress.get("seconds", 0.0), 1),
        "go_on_with": "the same command and --resume",
    }
