"""The whole chain as an experiment: on the built-in phantom, or on a raw file of the user's."""
