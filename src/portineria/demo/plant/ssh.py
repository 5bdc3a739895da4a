# SPDX-License-Identifier: Apache-2.0
"""The maintenance PC of the line: SSH with a small shell, SFTP and SCP below its own folder. Person: ``operator``."""

import asyncio
import hashlib
import hmac
import shlex
from pathlib import Path

import asyncssh

from portineria.core.errors import Unavailable
from portineria.demo.plant.journal import Journal, What, address_of
from portineria.demo.plant.layout import Place
from portineria.demo.plant.press import PressLine

OPERATOR = "operator"


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]", root: Path, device: str, journal: Journal) -> None:
        super().__init__(channel, chroot=str(root).encode())
        self._device, self._journal = device, journal

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        what: What = "write" if pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND) else "read"
        self._journal.note(self._device, what, path=path.decode(errors="replace"))
        return super().open(path, pflags, attrs)

    def exit(self) -> None:
        # Without an exit status OpenSSH's scp answers 1 after a good copy.
        self.channel.exit(0)


class _Visitor(asyncssh.SSHServer):
    def __init__(self, place: Place, password: str, journal: Journal) -> None:
        self._device, self._password, self._journal = place.device, password, journal
        self._peer = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._peer = address_of(conn.get_extra_info("peername"))
        self._journal.note(self._device, "connect", peer=self._peer)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._journal.note(self._device, "disconnect", peer=self._peer)

    def begin_auth(self, _username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return username == OPERATOR and hmac.compare_digest(password.encode(), self._password.encode())


class SshMaintenance:
    """Keys that may enter besides the password: ``authorized_keys`` in the state folder, read at start."""

    def __init__(self, place: Place, press: PressLine, journal: Journal, state: Path, password: str) -> None:
        self.place = place
        self.fingerprint = ""
        self._press, self._journal = press, journal
        self._state, self._password = state, password
        self._root = state / "files"
        self._listener: asyncssh.SSHAcceptor | None = None

    async def start(self) -> None:
        key = self._host_key()
        self.fingerprint = key.get_fingerprint()
        self._lay_out_files()
        authorized = self._state / "authorized_keys"
        try:
            self._listener = await asyncssh.listen(
                self.place.address,
                self.place.port,
                server_host_keys=[key],
                server_factory=lambda: _Visitor(self.place, self._password, self._journal),
                process_factory=self._shell,
                sftp_factory=lambda channel: _Files(channel, self._root, self.place.device, self._journal),
                allow_scp=True,
                authorized_client_keys=str(authorized) if authorized.exists() else None,
            )
        except OSError as error:
            raise Unavailable(f"ssh cannot listen on {self.place.address}:{self.place.port}: {error}") from error

    async def stop(self) -> None:
        if self._listener is not None:
            self._listener.close()

    async def refresh(self) -> None:
        """Nothing to do: the shell asks the press when it is asked."""

    def _host_key(self) -> asyncssh.SSHKey:
        """Kept between starts, so that nobody gets used to clicking a changed-key warning away."""
        path = self._state / "ssh_host_ed25519_key"
        if not path.exists():
            self._state.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            asyncssh.generate_private_key("ssh-ed25519", comment=self.place.device).write_private_key(str(path))
        return asyncssh.read_private_key(str(path))

    def _lay_out_files(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        recipe = self._root / "recipe-17.csv"
        if not recipe.exists():
            press = self._press
            recipe.write_text(f"plant;{press.name}\ntemperature_c;{press.temperature_setpoint_c}\n", encoding="utf-8")

    async def _shell(self, process: "asyncssh.SSHServerProcess[str]") -> None:
        if process.command is not None:
            status, answer = await self._answer(process.command)
            process.stdout.write(answer)
            process.exit(status)
            return
        prompt = f"{OPERATOR}@{self.place.device}> "
        process.stdout.write(f"{self._press.name}\n{prompt}")
        try:
            async for line in process.stdin:
                if line.strip() in ("exit", "logout"):
                    break
                status, answer = await self._answer(line)
                process.stdout.write(answer + prompt)
        except asyncssh.BreakReceived:  # Ctrl-C at the prompt leaves it
            pass
        process.exit(0)

    async def _answer(self, line: str) -> tuple[int, str]:
        try:
            words = shlex.split(line)
        except ValueError as error:
            return 2, f"{error}\n"
        match words:
            case []:
                return 0, ""
            case ["status"]:
                return 0, "".join(f"{name}: {value}\n" for name, value in self._press.values().items())
            case ["hostname"]:
                return 0, f"{self.place.device}\n"
            case ["ls"]:
                return 0, "".join(f"{path.name}\n" for path in sorted(self._root.iterdir()))
            case ["sha256sum", name] if (self._root / Path(name).name).is_file():
                digest = await asyncio.to_thread(_sha256, self._root / Path(name).name)
                return 0, f"{digest}  {Path(name).name}\n"
            case ["help"]:
                return 0, "status, hostname, ls, sha256sum NAME, exit\n"
        return 127, f"{words[0]}: not known here, try help\n"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
