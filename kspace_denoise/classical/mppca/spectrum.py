"""How many components of a patch are signal, by the law of Marchenko and Pastur."""

import torch
from torch import Tensor


def signal_components(values: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many components rise above the noise, `(n,)`, and E|noise|², `(n,)`.

    `values` `(n, k)`, falling, are the squared singular values of matrices with `rows` times
    `columns` numbers that are not blank, both `(n,)`, each at most one of them above k. Of m x q
    noise (m at most q) the eigenvalues of N Nᴴ / q spread over 4 σ² √(m/q). Components are taken
    off from the largest until those that are left do not spread wider than noise of their own mean
    would (Veraart et al., NeuroImage 142:394, 2016, eq. 11 and 12). What is left of a matrix once p
    components are gone counts as (m - p) x (q - p): with q, as in the paper, σ is too small.
    """
    shorter, longer = torch.minimum(rows, columns)[:, None], torch.maximum(rows, columns)[:, None]
    gone = torch.arange(values.shape[1], device=values.device)
    m, q = shorter - gone, longer - gone
    there = m > 0
    values = torch.where(there, values.clamp(min=0), 0)
    m, q = m.clamp(min=1).to(values.dtype), q.clamp(min=1).to(values.dtype)
    left = values.flip(-1).cumsum(-1).flip(-1)
    mean = left / (m * q)
    smallest = values.gather(1, (shorter - 1).clamp(min=0))
    spread = (values - smallest) / (4 * (m * q).sqrt())
    # Where one value is left its spread is 0: the search always ends.
    is_noise = there & (spread <= mean)
    kept = torch.argmax(is_noise.to(torch.uint8), dim=1)
    kept = torch.where(is_noise.any(dim=1), kept, 0)
    return kept, mean.gather(1, kept[:, None])[:, 0]
