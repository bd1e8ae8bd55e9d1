"""Plans of finufft: the points sorted once for each number of transforms at a time."""

from typing import Any

import numpy as np

from kspace_denoise.optional import optional

_DOUBLE_ACCURACY = 1e-12
_KEPT = 4  # plans: each holds the sorted points and a grid for all the images of a stack


class Plans:
    """Unscaled transforms at `radians` (2, points) of stacks of images of one shape.

    Attributes:
        kept: the plans used last, by the number of transforms and the precision.
    """

    def __init__(
        self, radians: np.ndarray[Any, Any], shape: tuple[int, int], accuracy: float
    ) -> None:
        self._radians = radians
        self._shape = shape
        self._accuracy = accuracy
        self.kept: dict[tuple[int, str], Any] = {}

    def execute(self, stack: np.ndarray[Any, Any], adjoint: bool) -> np.ndarray[Any, Any]:
        """Transform `(count, y, x)` to `(count, points)`, or with `adjoint` the other way."""
        plan = self._plan(len(stack), stack.dtype.name)
        data = stack if len(stack) > 1 else stack[0]
        result = plan.execute_adjoint(data) if adjoint else plan.execute(data)
        return np.asarray(result if len(stack) > 1 else result[None])

    def _plan(self, count: int, dtype: str) -> Any:
        """Return the plan, which becomes the last of those kept; the first is dropped."""
        plan = self.kept.pop((count, dtype), None) or self._made(count, dtype)
        self.kept[count, dtype] = plan
        if len(self.kept) > _KEPT:
            del self.kept[next(iter(self.kept))]
        return plan

    def _made(self, count: int, dtype: str) -> Any:
        double = dtype == "complex128"
        plan = optional("finufft", "non-Cartesian trajectories need", "noncartesian").Plan(
            2,
            self._shape,
            n_trans=count,
            eps=_DOUBLE_ACCURACY if double else self._accuracy,
            isign=-1,
            dtype=dtype,
        )
        plan.setpts(*self._radians.astype(np.float64 if double else np.float32, order="C"))
        return plan
