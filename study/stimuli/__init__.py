"""From image files to the stimuli of a study: sources, checks, rendering, buffers."""
