"""What somebody's plug-ins must do, as `objectives.conformance` says it of objectives."""
