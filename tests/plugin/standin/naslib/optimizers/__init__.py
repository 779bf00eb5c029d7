class RegularizedEvolution:
    def __init__(self, config):
        self.config = config

    def before_training(self):
        pass
