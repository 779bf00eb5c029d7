"""A stand-in for NASLib: the few names the plugin touches, in NASLib's places, with its faults."""
