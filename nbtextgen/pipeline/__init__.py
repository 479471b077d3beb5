"""From data to a fitted model: settings, prepared data, the fit, training on, the folder of a saved model."""
