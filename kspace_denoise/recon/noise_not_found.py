"""The refusal that `estimate_noise` gives instead of a number that may be wrong."""


class NoiseNotFound(ValueError):  # noqa: N818 - the name is part of the public interface
    """No part of a scan could be shown to hold noise only."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"no part of the scan is noise alone: {reason}. Measure the noise with a noise scan "
            "(--noise FILE), or give its covariance"
        )
