"""Trains the demo model. Loss: next token, phone of every audio frame, guided attention.

    python train.py --work WORK --minutes 75 [--start ..]

The phone loss is what makes the encoder listen within minutes instead of hours; the guided
attention keeps a few cross-attention heads on the audio of the word that is being written,
which is what Whisper's word times are read from; and one self-attention head is shown where in
the prompt a term is to be copied from, which otherwise takes far longer to be found. The learning rate follows the clock, so that
the training ends on time on any machine.
"""

import argparse
import datetime
import math
import os
import tempfile
import time

import numpy as np
import onnx
import torch
import torch.distributed as dist
import torch.nn.functional as F
from onnx import numpy_helper

from data import IGNORE, Batcher, Pool
from model import ALIGNMENT_HEADS, CONFIG, TrainingNet
from tokenizer import TIMESTAMP, Tokenizer


def guided_attention(attention: list[torch.Tensor], spans: torch.Tensor) -> torch.Tensor:
    """-log of the attention that falls on each label's own stretch of audio (soft edges)."""
    known = spans[..., 0] >= 0
    frames = attention[0].shape[-1]
    t = torch.arange(frames) + 0.5
    a, b = spans[known][:, :1], spans[known][:, 1:]
    distance = torch.relu(torch.maximum(a - t, t - b))
    target = torch.exp(-0.5 * (distance / 3.0) ** 2)
    loss = 0.0
    for p in attention:
        on_target = (p[:, :2].permute(0, 2, 1, 3)[known] * target[:, None]).sum(-1)
        loss = loss - torch.log(on_target + 1e-3).mean()
    return loss / len(attention)


def token_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each token; a timestamp's target is spread over its neighbours (deviation
    40 ms). Each of the 1,501 timestamps is rare: this way they learn from one another."""
    losses = F.cross_entropy(logits, labels, reduction="none")
    stamps = labels >= TIMESTAMP
    if stamps.any():
        distance = torch.arange(logits.shape[1] - TIMESTAMP) - (labels[stamps] - TIMESTAMP)[:, None]
        target = (-0.5 * (distance / 2.0) ** 2).softmax(-1)
        losses = losses.masked_scatter(stamps, -(target * logits[stamps].log_softmax(-1)[:, TIMESTAMP:]).sum(-1))
    return losses


def exported_weights(model: str) -> dict[str, torch.Tensor]:
    """The weights inside a model folder's ONNX graphs (export.py), by their names in `Whisper`."""
    found = {}
    for graph in ("encoder_model", "decoder_model_merged"):
        for stored in onnx.load(f"{model}/onnx/{graph}.onnx").graph.initializer:
            if stored.name.startswith("model."):
                array = numpy_helper.to_array(stored).astype(np.float32)
                transposed = stored.name.endswith("_t")
                found[stored.name.removesuffix("_t")] = torch.from_numpy(array.T.copy() if transposed else array)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--budget", type=int, default=3000, help="mel frames in a batch of clips, per process")
    parser.add_argument("--full-share", type=float, default=0.65, help="steps that have whole 30 s windows")
    parser.add_argument("--full-count", type=int, default=1, help="windows in such a step, per process")
    parser.add_argument("--attention", type=float, default=1.0, help="weight of the guided attention")
    parser.add_argument("--float32", action="store_true", help="everything in float32: twice as slow")
    parser.add_argument("--processes", type=int, default=2, help="one thread each; about the number of cores")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", help="a model folder made by export.py, such as .., to go on from")
    parser.add_argument("--resume", help="a checkpoint of this script")
    parser.add_argument("--name", default="run")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as meeting:
        torch.multiprocessing.spawn(run, (args, meeting), nprocs=args.processes)


def run(rank: int, args: argparse.Namespace, meeting: str) -> None:
    """One of `args.processes` workers. They share nothing but the gradient's mean: on small
    models several single-threaded processes are much faster than one with several threads."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    dist.init_process_group("gloo", init_method=f"file://{meeting}/rendezvous", rank=rank,
                            world_size=args.processes, timeout=datetime.timedelta(hours=6))
    chief = rank == 0

    tokenizer = Tokenizer(f"{args.work}/tokenizer.json")
    net = TrainingNet()
    resumed = torch.load(args.resume) if args.resume else None
    pool = Pool(args.work, resumed["phones"] if resumed else None)
    if resumed:
        net.load_state_dict(resumed["net"])
    elif args.start:
        with open(f"{args.start}/tokenizer.json", "rb") as a, open(f"{args.work}/tokenizer.json", "rb") as b:
            assert a.read() == b.read(), "the model to start from has another tokenizer"
        net.whisper.load_state_dict(exported_weights(args.start))
    step = resumed["step"] if resumed else 0
    batcher = Batcher(pool, tokenizer, args.seed + 1000 * rank + 7 * step)
    if chief:
        print(f"{sum(p.numel() for p in net.whisper.parameters())} parameters, {len(pool.all)} utterances, "
              f"{sum(u.frames for u in pool.all) / 360000:.1f} h", flush=True)

    decay, plain = [], []
    for name, p in net.named_parameters():
        if p.requires_grad:
            (plain if p.dim() < 2 or "embed" in name else decay).append(p)
    trained = decay + plain
    # All gradients lie in one buffer, with one place more for the clock, and are averaged in one go.
    buffer = torch.zeros(sum(p.numel() for p in trained) + 1)
    at = 0
    for p in trained:
        p.grad = buffer[at : at + p.numel()].view(p.shape)
        at += p.numel()
    optimiser = torch.optim.AdamW([dict(params=decay, weight_decay=0.05), dict(params=plain, weight_decay=0.0)],
                                  lr=args.rate, betas=(0.9, 0.98), eps=1e-8, fused=True)
    average = {k: v.clone() for k, v in (resumed["average"] if resumed else net.state_dict()).items()}
    if resumed:
        optimiser.load_state_dict(resumed["optimiser"])
    first_layer = min(layer for layer, _ in ALIGNMENT_HEADS)

    def save(name: str) -> None:
        path = f"{args.work}/{name}.pt"
        torch.save(dict(net=net.state_dict(), average=average, config=CONFIG, step=step,
                        phones=pool.phone_ids, optimiser=optimiser.state_dict()), path + ".part")
        os.replace(path + ".part", path)

    before = saved = shown = time.time()
    trained_seconds = 0.0
    audio, sums, counts = 0.0, {}, {}
    share = 0.0

    def note(**values) -> None:
        for k, v in values.items():
            sums[k] = sums.get(k, 0.0) + float(v)
            counts[k] = counts.get(k, 0) + 1

    while share < 1:
        rate = (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share))) * args.rate
        if not resumed:
            rate *= min(1, (step + 1) / 150)
        for group in optimiser.param_groups:
            group["lr"] = rate
        t = time.time()
        full = int((step + 1) * args.full_share) > int(step * args.full_share)
        b = batcher.full_windows(args.full_count) if full else batcher.clips(args.budget)
        note(data=time.time() - t)

        keep = b["labels"] != IGNORE
        # bfloat16 products on float32 weights: on processors that have them, the gradient comes out
        # the same (cosine 0.9999) in half of the time.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not args.float32):
            hidden = net.whisper.model.encoder(b["mel"], b["offsets"])
            decoded, attention, copying = net.whisper.model.decoder(b["ids"], hidden, weights_from=first_layer, copying=True)
            logits = net.whisper.logits(decoded[keep]).float()
            # A phone head that starts afresh must not disturb an encoder that is already good.
            fresh = args.start and not resumed and step < 150
            phone_logits = net.phones(hidden.detach() if fresh else hidden).float()
        attention, copying = [p.float() for p in attention], copying.float()
        labels, weights = b["labels"][keep], b["weights"][keep]
        token_losses = token_cross_entropy(logits, labels)
        token_loss = (token_losses * weights).sum() / weights.sum()
        phone_loss = F.cross_entropy(phone_logits.flatten(0, 1), b["phones"].flatten())
        attention_loss = guided_attention(attention, b["spans"]) if (b["spans"] >= 0).any() else torch.zeros(())
        copied = b["sources"] >= 0
        copy_loss = torch.zeros(())
        if copied.any():  # the copy head must look at the token that is to be copied
            looked = copying[copied].gather(1, b["sources"][copied][:, None])
            copy_loss = -torch.log(looked + 1e-4).mean()
        loss = token_loss + 0.5 * phone_loss + args.attention * attention_loss + 0.3 * copy_loss
        buffer.zero_()
        loss.backward()
        trained_seconds += min(time.time() - before, 10)  # while it is stopped (SIGSTOP), no time passes
        before = time.time()
        buffer[-1] = trained_seconds / (60 * args.minutes)
        t = time.time()
        dist.all_reduce(buffer)
        note(wait=time.time() - t)
        buffer /= args.processes
        share = float(buffer[-1])
        norm = float(buffer[:-1].norm())
        if not math.isfinite(norm):
            print("skipped a step: gradient not finite", flush=True)
            continue
        buffer[:-1] *= min(1.0, 1.0 / (norm + 1e-6))
        optimiser.step()
        step += 1
        if step % 500 == 0:
            pool.load()
        if not chief:
            continue
        with torch.no_grad():
            keep_share = min(0.998, (1 + step) / (20 + step))
            for k, v in net.state_dict().items():
                average[k].lerp_(v, 1 - keep_share)
            audio += args.processes * b["mel"].shape[0] * b["mel"].shape[2] / 100
            heard = b["phones"] > 0
            right = phone_logits.argmax(-1) == b["phones"]
            note(norm=norm, phone=phone_loss, attention=attention_loss)
            if heard.any():
                note(phones_right=right[heard].float().mean())
            kind = "full" if full else "clip"
            note(**{f"{kind}_token": token_losses.mean(), f"{kind}_right": (logits.argmax(-1) == labels).float().mean()})
            if copied.any():
                of_copied = copied[keep]
                note(copied=token_losses[of_copied].mean(), looked_up=looked.mean(),
                     copied_right=(logits.argmax(-1) == labels)[of_copied].float().mean())
        if step % 50 == 0:
            now = time.time()
            figures = " ".join(f"{k} {sums[k] / counts[k]:.3f}" for k in sorted(sums))
            print(f"{step} share {share:.3f} rate {rate:.1e} {figures} | {(now - shown) / 50:.2f} s a step, "
                  f"{audio / (now - shown):.0f} x real time", flush=True)
            audio, sums, counts, shown = 0.0, {}, {}, now
        if time.time() - saved > 120:
            save(args.name)
            saved = time.time()
    if chief:
        save(args.name)
        print("done", step, flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
