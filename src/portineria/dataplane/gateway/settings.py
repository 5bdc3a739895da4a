# SPDX-License-Identifier: Apache-2.0
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class GatewaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``gateway.toml`` in the state directory, overridden by PORTINERIA_GATEWAY_*. Built once, in ``main``."""

    name: Annotated[str, Meta(max_length=64, description="Proposed to the console; shown there as text.")] = ""
    proxy: Annotated[
        str | None, Meta(description="http://[user:password@]host:port; none: never; unset: as the surroundings say.")
    ] = None
    nested: Annotated[bool, Meta(description="Never take the outer TLS off (slower; for middleboxes).")] = False
    allow_opened: Annotated[
        bool, Meta(description="Whether a path may be used whose outer TLS a proxy opens. It can delay and drop.")
    ] = False
    loopback_devices: Annotated[
        bool, Meta(description="Devices may be on 127.0.0.0/8: only for a demonstration on one machine.")
    ] = False
    links: Annotated[int, Meta(ge=1, le=4, description="To so many relays at a time, when so many exist.")] = 2
    retry_min_s: Annotated[float, Meta(gt=0, description="First pause after a lost link.")] = 0.5
    retry_max_s: Annotated[float, Meta(gt=0, description="Longest pause; the real one is random below it.")] = 30
    spread_s: Annotated[
        float, Meta(ge=0, description="Without sessions a lost link is back after a random pause below this.")
    ] = 10
    settled_s: Annotated[float, Meta(gt=0, description="A link that stood so long makes the pauses short again.")] = 60
    spare_legs: Annotated[
        Literal["far", "always", "never"],
        Meta(
            description="Whether a leg waits at each relay for the next connection: far: where a round trip takes "
            "0.1 s or more; a first connection then comes four round trips earlier, for 4.5 MB a month."
        ),
    ] = "far"
    connect_s: Annotated[float, Meta(gt=0, description="For reaching one device.")] = 10
    order_wait_s: Annotated[float, Meta(ge=0, description="A leg waits so long for its order or first lease.")] = 5
    hello_s: Annotated[float, Meta(gt=0, description="For the first frame of a leg whose session is not known.")] = 5
    time_wait_s: Annotated[float, Meta(gt=0, description="An order waits so long for the first signed time.")] = 10
    answer_s: Annotated[float, Meta(gt=0, description="A signed time that took longer is not believed.")] = 30
    ask_again_s: Annotated[float, Meta(gt=0, description="Pause before an unanswered question is asked again.")] = 5
    time_every_s: Annotated[float, Meta(gt=0, description="How often the time is asked without sessions.")] = 3600
    review_s: Annotated[float, Meta(gt=0, description="How often deadlines are looked at besides their timers.")] = 1
    register_every_s: Annotated[
        float, Meta(ge=0, description="A checkpoint of the register is asked for at most so often.")
    ] = 60
    acknowledge_s: Annotated[float, Meta(gt=0, description="Events unacknowledged so long are sent again.")] = 10
    admission_s: Annotated[float, Meta(gt=0, description="How often to ask whether the console admitted us.")] = 5
    status_s: Annotated[float, Meta(gt=0, description="How often status.json is written.")] = 3
    spool_limit_bytes: Annotated[
        int, Meta(ge=65536, description="Unacknowledged events; 256 MiB hold about 400,000 of them.")
    ] = 256 << 20
    recording_limit_bytes: Annotated[
        int, Meta(ge=1 << 20, description="Recordings that wait to be uploaded; what does not fit is held or lost.")
    ] = 2 << 30
    recording_seal_s: Annotated[
        float, Meta(gt=0, le=9, description="Recorded bytes are in memory at most so long; then on the disk, signed.")
    ] = 8
    upload_every_s: Annotated[float, Meta(gt=0, description="Pause before looking for recordings to upload.")] = 2
    upload_busy_bytes_s: Annotated[
        int, Meta(ge=1024, description="Uploads get so much while sessions carry bytes; all there is when none does.")
    ] = 16 << 10
    transfer_quiet_s: Annotated[
        float, Meta(gt=0, description="So long after its last request a program or firmware counts as written.")
    ] = 10
    leg_setups: Annotated[int, Meta(gt=0, description="Legs being set up at a time; one costs 13 ms of CPU.")] = 64
    streams: Annotated[int, Meta(gt=0, description="Of all sessions together; each may keep 8 MiB.")] = 2000
    metrics: Annotated[
        str,
        Meta(
            description="Loopback ADDRESS:PORT for Prometheus (/metrics) and probes (/livez, /readyz); when empty, "
            "the gateway listens on nothing at all."
        ),
    ] = ""
    log_form: Annotated[
        Literal["auto", "json", "text"], Meta(description="Of the operators' log; auto: text on a terminal, else JSON.")
    ] = "auto"
    emergency_pause_s: Annotated[
        float,
        Meta(ge=0, description="After each wrong PIN of an emergency so much longer until the next is looked at."),
    ] = 3
    log_level: Annotated[str, Meta(description="DEBUG, INFO, WARNING or ERROR.")] = "INFO"
