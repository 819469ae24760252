"""Train the tiny CTC model that the tests read: it learns a few demo utterances by heart.

It is a Wav2Vec2ForCTC of the shape of its large relatives (layer norms, attention mask), so that
what decodes it correctly decodes them. The texts have double letters, which only a right collapse
of CTC frames keeps. Weights are stored in float16 and checked, loaded as float32, one utterance at
a time and all together.

    python scripts/train_tiny_ctc.py [--out tests/data/tiny_ctc] [--seed 42]
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf
import torch
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)
from transformers.utils import logging

Audio = npt.NDArray[np.float32]

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "asr_scaling/dataset/demo_data"
IDS = ("demo-007", "demo-016", "demo-033", "demo-038", "demo-063", "demo-068")
RATE_HZ = 16_000
TOKENS = (
    "<pad>",
    "<s>",
    "</s>",
    "<unk>",
    "|",
    *"ETAONIHSRDLUMWCFGYPBVK'XJQZ",
)  # wav2vec2-base-960h's, in its order
MOST_PARAMETERS = 1_000_000
MOST_STEPS = 3_000
WARMUP_STEPS = 50
LEARNING_RATE = 1e-3
ENOUGH = 0.01  # mean CTC loss per character at which no frame is a close call
CHECK_EVERY = 25

CONFIG = Wav2Vec2Config(
    vocab_size=len(TOKENS),
    hidden_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=256,
    conv_dim=[64] * 7,
    conv_kernel=[10, 3, 3, 3, 3, 2, 2],
    conv_stride=[5, 2, 2, 2, 2, 2, 2],  # 320 samples: 50 frames/s
    conv_bias=True,
    feat_extract_norm="layer",  # each frame by itself: padding changes nothing
    do_stable_layer_norm=True,
    num_conv_pos_embeddings=32,
    num_conv_pos_embedding_groups=16,
    pad_token_id=TOKENS.index("<pad>"),  # also CTC's blank
    bos_token_id=TOKENS.index("<s>"),
    eos_token_id=TOKENS.index("</s>"),
    ctc_loss_reduction="mean",
    ctc_zero_infinity=True,
    mask_time_prob=0.0,
    mask_feature_prob=0.0,
    layerdrop=0.0,
    **dict.fromkeys(["hidden_dropout", "attention_dropout", "activation_dropout"], 0.0),
    **dict.fromkeys(["feat_proj_dropout", "final_dropout"], 0.0),
)


def utterances() -> tuple[list[Audio], list[str]]:
    """Samples and upper-case texts without punctuation, as a CTC model spells them."""
    lines = (DEMO / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {row["id"]: row for row in map(json.loads, lines)}
    audios = [sf.read(DEMO / rows[key]["audio"], dtype="float32")[0] for key in IDS]
    return audios, [re.sub(r"[^A-Z' ]", "", rows[key]["text"].upper()) for key in IDS]


def tokenizer() -> Wav2Vec2CTCTokenizer:
    """Letters, an apostrophe and a word delimiter."""
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = Path(folder, "vocab.json")
        vocabulary.write_text(
            json.dumps({token: number for number, token in enumerate(TOKENS)}), encoding="utf-8"
        )
        return Wav2Vec2CTCTokenizer(str(vocabulary))


def transcribe(model: Any, features: Any, letters: Any, audios: Sequence[Audio]) -> list[str]:
    """Greedy CTC of one padded batch."""
    inputs = features(list(audios), sampling_rate=RATE_HZ, padding=True, return_tensors="pt")
    with torch.no_grad():
        frames = model(**inputs).logits.argmax(dim=-1)
    counts = model._get_feat_extract_output_lengths(inputs["attention_mask"].sum(-1))
    return [str(letters.decode(row[:count])) for row, count in zip(frames, counts, strict=True)]


def exact(
    model: Any, features: Any, letters: Any, audios: Sequence[Audio], texts: Sequence[str]
) -> bool:
    """Whether every text comes out to the letter, alone and in a batch."""
    alone = [transcribe(model, features, letters, [audio])[0] for audio in audios]
    return alone == list(texts) == transcribe(model, features, letters, audios)


def train(
    model: Any, features: Any, letters: Any, audios: Sequence[Audio], texts: Sequence[str]
) -> int:
    """Every utterance at every step until all are exact and the loss is small;
    the number of steps."""
    inputs = features(list(audios), sampling_rate=RATE_HZ, padding=True, return_tensors="pt")
    ids = [torch.tensor(letters(text).input_ids) for text in texts]
    labels = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=-100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    warmup = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / WARMUP_STEPS)
    )
    for step in range(1, MOST_STEPS + 1):
        loss = model(**inputs, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        warmup.step()
        if step % CHECK_EVERY == 0:
            print(f"step {step}: loss {loss.item():.4f}", flush=True)
            if loss.item() < ENOUGH and exact(model, features, letters, audios, texts):
                return step
    raise SystemExit(f"Not exact after {MOST_STEPS} steps; try another --seed.")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the tiny CTC model of the tests.")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/data/tiny_ctc")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    out: Path = options.out
    logging.disable_progress_bar()
    torch.manual_seed(options.seed)
    model: Any = Wav2Vec2ForCTC(CONFIG)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if parameters >= MOST_PARAMETERS:
        raise SystemExit(f"{parameters} parameters are too many for a file beside the tests.")
    features, letters = Wav2Vec2FeatureExtractor(return_attention_mask=True), tokenizer()
    audios, texts = utterances()
    start = time.perf_counter()
    steps = train(model, features, letters, audios, texts)
    for part in (model.half(), features, letters):
        part.save_pretrained(out)
    (out / "ids.json").write_text(json.dumps(IDS) + "\n", encoding="utf-8")
    stored: Any = Wav2Vec2ForCTC.from_pretrained(out, dtype=torch.float32).eval()
    if not exact(stored, features, Wav2Vec2CTCTokenizer.from_pretrained(out), audios, texts):
        raise SystemExit("Exact in float32, but not once stored in float16.")
    weights = out / "model.safetensors"
    weights.chmod(0o644)
    size = weights.stat().st_size
    print(
        f"{parameters} parameters, {size} bytes, {steps} steps in "
        f"{time.perf_counter() - start:.0f} s, in {out}"
    )


if __name__ == "__main__":
    main()
