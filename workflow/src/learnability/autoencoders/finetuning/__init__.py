"""Fine-tuning of an autoencoder on the images of a dataset."""
