"""What tasks share and what is no task: resources, caching, settings, types that travel, lines of stages."""
