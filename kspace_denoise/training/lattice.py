"""The regular part of an undersampling mask."""

import torch
from torch import Tensor

_ENOUGH = 0.5  # share of the lines that a lattice must hold to stand for the mask


def lattice_within(line: Tensor) -> Tensor:
    """Return the densest lattice of every R-th line within a mask `(n,)`, or the mask itself.

    So equispaced lines are told from the calibration lines among them: R-fold sampling folds R
    pixels onto each other, where with calibration lines any two may be. The mask itself if no R
    divides n whose lines, from some first one, were all sampled and are at least half of those
    that were.
    """
    size = len(line)
    for step in range(1, size):
        if size % step:
            continue
        for first in range(step):
            if line[first::step].all() and size / step >= _ENOUGH * float(line.sum()):
                lattice = torch.zeros_like(line)
                lattice[first::step] = 1
                return lattice
    return line
