"""Every seam of the framework: what can be replaced, and what each side expects of the other.

May import ``core`` and what is below it; nothing in this folder imports an implementation.
"""

from asr_scaling.core.ports.cascade import (
    ABSENT,
    ALONE,
    Absent,
    Alone,
    Around,
    LoadedModule,
    ModuleSpec,
    Punctuation,
    Speaker,
    VoiceActivity,
)
from asr_scaling.core.ports.dataset import Batching, Dataset, Fitting, Listing
from asr_scaling.core.ports.engine import (
    Bounded,
    Capabilities,
    Device,
    DeviceMemory,
    Engine,
    NullProbe,
    Placed,
    Probe,
    System,
    SystemFacts,
    Transcription,
    Wrapping,
    capabilities,
    option_of,
    recogniser,
)
from asr_scaling.core.ports.measurement import (
    PHASES,
    Measurement,
    Meter,
    Phase,
    Session,
    Watch,
    Watcher,
)
from asr_scaling.core.ports.progress import NullProgress, Progress
from asr_scaling.core.ports.serving import (
    HERE,
    Here,
    Reply,
    ReplyStatus,
    Served,
    Service,
    Serving,
)
from asr_scaling.core.ports.store import ANSWER_FILE, RunKey, RunStore, Sink, StoredSweep
from asr_scaling.core.ports.system_spec import (
    Change,
    Changed,
    Demanding,
    Needing,
    Optimisation,
    SpeechBound,
    SystemSpec,
    Turn,
)
