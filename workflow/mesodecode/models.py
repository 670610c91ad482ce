"""Networks and trained models, under the name that other tools import them by."""

from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder, TCNDecoder
from mesodecode.decoders.weights import Trained, load_trained

__all__ = ["CNNDecoder", "CNNRNNDecoder", "RNNDecoder", "TCNDecoder", "Trained", "load_trained"]
