"""The report of an experiment: pictures, one HTML file with everything inside, JSON."""
