# SPDX-License-Identifier: Apache-2.0
"""Uses of grants, as ordered by us and as reported by gateways."""

from portineria.control.remote_sessions.models.directory_end import (
    DirectoryAct,
    DirectoryEnd,
    DirectoryEndOver,
    DirectoryEndQuerySet,
    DirectoryEndState,
    Stay,
)
from portineria.control.remote_sessions.models.held import (
    HeldOperation,
    HeldOver,
    HeldQuerySet,
)
from portineria.control.remote_sessions.models.playback import (
    Playback,
    PlaybackQuerySet,
    RecordingHold,
)
from portineria.control.remote_sessions.models.recording import (
    Recording,
    RecordingChunk,
    RecordingQuerySet,
    RecordingReading,
    RecordingRecipient,
)
from portineria.control.remote_sessions.models.report import (
    KnownWork,
    ReportSide,
    ReportSignature,
    ServiceReport,
    ServiceReportQuerySet,
    WorkKind,
)
from portineria.control.remote_sessions.models.session import (
    AskedQuestion,
    GatewayReport,
    Session,
    SessionEnded,
    SessionQuerySet,
    SessionState,
    Stream,
    StreamQuerySet,
    Watching,
)
from portineria.control.remote_sessions.models.standing_by import StandingBy

__all__ = [
    "AskedQuestion",
    "DirectoryAct",
    "DirectoryEnd",
    "DirectoryEndOver",
    "DirectoryEndQuerySet",
    "DirectoryEndState",
    "GatewayReport",
    "HeldOperation",
    "HeldOver",
    "HeldQuerySet",
    "KnownWork",
    "Playback",
    "PlaybackQuerySet",
    "Recording",
    "RecordingChunk",
    "RecordingHold",
    "RecordingQuerySet",
    "RecordingReading",
    "RecordingRecipient",
    "ReportSide",
    "ReportSignature",
    "ServiceReport",
    "ServiceReportQuerySet",
    "Session",
    "SessionEnded",
    "SessionQuerySet",
    "SessionState",
    "StandingBy",
    "Stay",
    "Stream",
    "StreamQuerySet",
    "Watching",
    "WorkKind",
]
