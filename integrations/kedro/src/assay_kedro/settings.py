"""Settings of the Kedro project: the defaults of Kedro."""
