"""What proxies share: a network on a minibatch, and the passes that are computed once for all."""
