"""What the engines that run exported graphs share: graphs, files and decoding."""
