"""ConSE (Norouzi et al., 2014): a picture's place in the text space is the mix of the texts of the classes it resembles."""

from dataclasses import dataclass

import numpy as np

from .words import unit


@dataclass(frozen=True)
class Head:
    """The head with its tensors as they are stored."""

    weight: np.ndarray
    scale: np.ndarray
    bias: np.ndarray
    texts: np.ndarray
    texts_scale: np.ndarray
    temperature: float
    top_k: int

    def logits(self, features: np.ndarray) -> np.ndarray:
        return features @ (self.weight.astype(np.float32) * self.scale[:, None]).T + self.bias

    def embed(self, features: np.ndarray) -> np.ndarray:
        """Unit embeddings `[pictures, d]` of pooled features `[pictures, c]`."""
        texts = self.texts.astype(np.float32) * self.texts_scale[:, None]
        return conse(self.logits(features), texts, self.temperature, self.top_k)

    def tensors(self) -> dict[str, np.ndarray]:
        """The tensors by the names they have in the head's file."""
        return {
            "classifier.weight": self.weight,
            "classifier.scale": self.scale,
            "classifier.bias": self.bias.astype(np.float32),
            "class_texts": self.texts,
            "class_texts.scale": self.texts_scale,
        }


def conse(logits: np.ndarray, texts: np.ndarray, temperature: float, top_k: int) -> np.ndarray:
    """Unit embeddings of `logits` `[pictures, classes]`.

    A class weighs what its probability has over the largest that is not among the `top_k`. So it enters and leaves the mix with no weight,
    and the embedding does not jump when noise swaps two classes.
    """
    probability = softmax(logits / temperature)
    falling = -np.sort(-probability, axis=1)
    cut = falling[:, top_k : top_k + 1] if top_k < falling.shape[1] else 0.0
    return unit(np.maximum(probability - cut, 0) @ texts)


def softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
