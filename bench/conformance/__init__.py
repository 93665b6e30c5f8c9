"""What somebody's architecture or data set must do, as `objectives.conformance` says it of objectives."""
