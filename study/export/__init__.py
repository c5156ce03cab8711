"""A trained network handed over: weights, what is needed to make it again, and what is known of it.

choice       which trials' networks                     fetched     their weights: kept ones, or made again
refit        a network trained on all samples
description  model.json: all that loading it takes       folder      writing and loading MODEL
card         the model card                             other_formats   ONNX and torch.export
"""
