# SPDX-License-Identifier: Apache-2.0
"""The press as an OPC UA server without security policy: object Press, its variables, methods Start and Stop."""

from typing import Any

from asyncua import ua
from asyncua.common.callback import CallbackType, ServerItemCallback
from asyncua.common.node import Node
from asyncua.server.server import Server

from portineria.core.errors import Unavailable
from portineria.demo.plant.journal import Journal, address_of
from portineria.demo.plant.layout import Place
from portineria.demo.plant.press import DRIVE_LIMITS_RPM, TEMPERATURE_LIMITS_C, PressLine, State

NAMESPACE = "urn:portineria:demo:press"


class _Transports(list[Any]):
    """asyncua keeps its open connections in this list and offers no other sight of them."""

    def __init__(self, device: str, journal: Journal) -> None:
        super().__init__()
        self._device, self._journal = device, journal

    def append(self, transport: Any) -> None:
        super().append(transport)
        self._journal.note(self._device, "connect", peer=address_of(transport.get_extra_info("peername")))

    def remove(self, transport: Any) -> None:
        super().remove(transport)
        self._journal.note(self._device, "disconnect", peer=address_of(transport.get_extra_info("peername")))


class OpcUaPress:
    def __init__(self, place: Place, press: PressLine, journal: Journal) -> None:
        self.place = place
        self._press, self._journal = press, journal
        self._server: Server | None = None
        self._nodes: dict[str, Node] = {}
        self._shown: dict[str, str | int | float | bool] = {}
        self._names: dict[ua.NodeId, str] = {}

    async def start(self) -> None:
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://{self.place.address}:{self.place.port}/press3")
        server.set_server_name(self._press.name)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        # Answer endpoint questions with the device's own address, as real devices do, whatever name was dialled.
        server.set_match_discovery_endpoint_url(False)
        server.set_match_discovery_client_ip(False)
        await self._add_press(server)
        server.iserver.asyncio_transports = _Transports(self.place.device, self._journal)
        server.iserver.subscribe_server_callback(CallbackType.PreWrite, self._before_write)  # type: ignore[arg-type]
        server.iserver.subscribe_server_callback(CallbackType.PostWrite, self._after_write)  # type: ignore[arg-type]
        try:
            await server.start()
        except OSError as error:
            raise Unavailable(f"opcua cannot listen on {self.place.address}:{self.place.port}: {error}") from error
        self._server = server

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop()

    async def refresh(self) -> None:
        if self._server is None:
            return
        for name, value in self._variables().items():
            if self._shown.get(name) != value:
                self._shown[name] = value
                await self._server.write_attribute_value(self._nodes[name].nodeid, ua.DataValue(ua.Variant(value)))

    def _variables(self) -> dict[str, str | int | float | bool]:
        press = self._press
        return {
            "Name": press.name,
            "Temperature": round(press.temperature_c, 2),
            "Setpoint": float(press.temperature_setpoint_c),
            "Pressure": round(press.pressure_bar, 2),
            "Parts": press.parts,
            "Running": press.state is State.RUNNING,
        }

    async def _add_press(self, server: Server) -> None:
        index = await server.register_namespace(NAMESPACE)
        node = await server.nodes.objects.add_object(index, "Press")
        for name, value in self._variables().items():
            self._nodes[name] = await node.add_variable(index, name, value)
            self._names[self._nodes[name].nodeid] = name
        await self._nodes["Setpoint"].set_writable()
        await node.add_method(index, "Start", self._begin, [ua.VariantType.Int64], [ua.VariantType.Boolean])
        await node.add_method(index, "Stop", self._end, [], [ua.VariantType.Boolean])

    async def _begin(self, _parent: ua.NodeId, speed: ua.Variant) -> list[ua.Variant]:
        """Start(speed in rpm) answers whether the press accepted it."""
        rpm = int(speed.Value)
        accepted = 0 < rpm <= DRIVE_LIMITS_RPM[1]
        if accepted:
            self._press.drive_setpoint_rpm = rpm
            self._press.state = State.RUNNING
        self._journal.note(self.place.device, "write", method="Start", arguments=[rpm], accepted=accepted)
        return [ua.Variant(accepted, ua.VariantType.Boolean)]

    async def _end(self, _parent: ua.NodeId) -> list[ua.Variant]:
        self._press.state = State.STOPPED
        self._journal.note(self.place.device, "write", method="Stop", arguments=[], accepted=True)
        return [ua.Variant(True, ua.VariantType.Boolean)]

    def _before_write(self, call: ServerItemCallback, _service: object) -> None:
        low, high = TEMPERATURE_LIMITS_C
        for name, value in self._written(call):
            if name == "Setpoint" and isinstance(value, float) and not low <= value <= high:
                self._journal.note(self.place.device, "write", node=name, value=value, accepted=False)
                raise ua.uaerrors.BadOutOfRange

    def _after_write(self, call: ServerItemCallback, _service: object) -> None:
        if not call.is_external:
            return
        for (name, value), status in zip(self._written(call), call.response_params, strict=True):
            if status.is_good() and name == "Setpoint":
                self._press.temperature_setpoint_c = self._shown["Setpoint"] = float(value)
            self._journal.note(self.place.device, "write", node=name, value=value, accepted=status.is_good())

    def _written(self, call: ServerItemCallback) -> list[tuple[str, Any]]:
        """Writes from outside; the living process writes too, and is nobody's visitor."""
        if not call.is_external:
            return []
        items = call.request_params.NodesToWrite
        return [(self._names.get(item.NodeId, str(item.NodeId)), item.Value.Value.Value) for item in items]
