"""One process of benchmarks/why_processes_differ.py: a loaded system that is called when told.

It reads a line of JSON at a time from its input: {"do": "load", "overrides": […], "copied_weights":
false, "flush_denormals": false}, {"do": "calls", "count": 2}, {"do": "load_anew"} or {"do":
"denormals"}; and answers each with a line of JSON.
"""

from __future__ import annotations

import gc
import json
import re
import resource
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from asr_scaling.core.ports import NullProbe, System, SystemSpec
from asr_scaling.core.workload import AudioBatch
from asr_scaling.machine.memory import release_memory
from asr_scaling.machine.metronome import probes_of

UTTERANCES, WARMUP = 5, 5


class Process:
    """The system of this process.

    order: what "load" was told.
    """

    def __init__(self, order: Mapping[str, Any]) -> None:
        import hydra

        from asr_scaling.sweep.instantiate import build, build_system, options
        from asr_scaling.util.config_dir import conf_dir

        if order.get("flush_denormals") and not flush_denormals():
            sys.exit("This processor can't take denormals for 0.")
        with hydra.initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
            plain = options(hydra.compose("config", order["overrides"]))
        self._spec: SystemSpec = build_system(plain).composed()
        utterances = build(plain["dataset"], "dataset").load(UTTERANCES).utterances
        self._batches = [AudioBatch((utterance,)) for utterance in utterances]
        self._copied, self._calls = bool(order.get("copied_weights")), 0
        self._spec.engine.check(self._spec.model)
        self._spec.device.setup()
        self._system: System | None = None
        self._probes = probes_of(self._spec.device, ExitStack())

    def load(self) -> dict[str, Any]:
        """Load the system, for the first time or anew, and warm up."""
        if self._system is not None:
            self._system.close()
            self._system = None
            release_memory()
        began = time.perf_counter()
        self._system = self._spec.engine.load(self._spec.model, self._spec.device)
        load_s = time.perf_counter() - began
        if self._copied and not copy_weights():
            sys.exit("This engine has no weights in torch to copy.")
        release_memory(freeze=True)
        self.call(WARMUP)
        self._calls = 0
        return {"load_s": load_s, "cores": threads_cores()}

    def call(self, count: int) -> dict[str, Any]:
        """``count`` calls, one utterance each, in turn: their seconds and page faults.

        Before them the metronome's probes, in seconds.
        """
        assert self._system is not None
        probes = {name: probe() for name, probe in self._probes.items()}
        found = []
        for position in range(count):
            number = self._calls % len(self._batches)
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            began = time.perf_counter()
            self._system.transcribe(self._batches[number], NullProbe())
            seconds = time.perf_counter() - began
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
            call = {"s": seconds, "faults": faults, "utterance": number, "position": position}
            found.append({**call, "at": began})
            self._calls += 1
        return {"probes": probes, "calls": found}

    def denormals(self) -> dict[str, int]:
        """How many values that the modules of torch give in a call are denormal."""
        import torch

        assert self._system is not None
        counts = {"values": 0, "denormal": 0}
        smallest = torch.finfo(torch.float32).tiny

        def count(_module: object, _inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor) and output.is_floating_point():
                size = output.abs()
                counts["values"] += output.numel()
                counts["denormal"] += int(((size > 0) & (size < smallest)).sum())

        hook = torch.nn.modules.module.register_module_forward_hook(count)
        self._system.transcribe(self._batches[0], NullProbe())
        hook.remove()
        return counts


def copy_weights() -> int:
    """Give every parameter of torch fresh memory, as a copy touches it first; how many."""
    import torch

    parameters = [item for item in gc.get_objects() if isinstance(item, torch.nn.Parameter)]
    with torch.no_grad():
        for parameter in parameters:
            parameter.data = parameter.data.clone()
    return len(parameters)


def flush_denormals() -> bool:
    """Take denormals for 0, in this thread and in those that it starts; whether that is possible.

    Called before anything computes, so that the threads that compute start afterwards.
    """
    import torch

    return torch.set_flush_denormal(True)


def threads_cores() -> list[str]:
    """The cores that each thread of this process may use, to see that a treatment took effect."""
    statuses = [path.read_text("ascii") for path in Path("/proc/self/task").glob("*/status")]
    return sorted(re.findall(r"Cpus_allowed_list:\s*(\S+)", "".join(statuses)))


def main() -> None:
    """Do what each line says."""
    process: Process | None = None
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "load":
            process = Process(order)
        assert process is not None, "the first line must say load"
        if order["do"] == "calls":
            answer = process.call(order["count"])
        elif order["do"] == "denormals":
            answer = process.denormals()
        else:
            answer = process.load()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
