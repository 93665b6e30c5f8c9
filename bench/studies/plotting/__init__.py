"""The style and layout of the studies' figures."""
