"""S6 and G5: which objectives survive other hyper-parameters."""
