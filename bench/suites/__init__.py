"""The suites that come with lipbench, as YAML files."""
