"""`reconstruct --report`: pictures of a few slices, collected while they are written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from kspace_denoise.report.reconstruction import draw_slice, write_reconstruction
from kspace_denoise.scan import Numpy
from kspace_denoise.stages import spread_slices

_SHOWN = 4
_SPREAD = (
    "The spread is the standard deviation of the samples, per real component, in the unit of the "
    "data: what the data and the prior leave open. It is that of a posterior for split-gibbs "
    "alone, and knows nothing of errors of the prior or of the coil maps."
)


class Pictures:
    """A picture of each of a few slices that are spread over a scan."""

    def __init__(self, slices: int) -> None:
        self._chosen = set(spread_slices(slices, _SHOWN))
        self._drawn: dict[str, Figure] = {}
        self._sampled = False
        self._slices = slices

    def add(self, index: int, images: Mapping[str, Numpy]) -> None:
        """Draw a slice, if it is one of those that are shown."""
        if index in self._chosen:
            self._drawn[f"slice {index}"] = draw_slice(images)
            self._sampled |= "posterior_std" in images

    def write(self, folder: Path, source: Path, method: str, record: dict[str, Any]) -> None:
        """Write the page."""
        story = [f"{source}, reconstructed by {method}; magnitudes, in the unit of the data."]
        story += [_SPREAD] if self._sampled else []
        if len(self._drawn) < self._slices:
            story += [f"{len(self._drawn)} of {self._slices} slices are shown, counted from 0."]
        title = f"{source.name}: {method}"
        write_reconstruction(folder, title, story, self._drawn, record)
