"""What the engines that run exported graphs have in common: the graphs, their files and their decoding."""
