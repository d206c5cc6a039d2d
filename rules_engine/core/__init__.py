"""The pure core: values in, values out. No clock, network, disk, environment or randomness."""
